"""Reads the feature log back, for learners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from state.feature_log.log_file import FeatureLogError, read_entries
from state.feature_log.log_folder import files_of
from state.feature_log.logged_page import EntryError, LoggedPage, decode


def read_feature_log(folder: Path) -> Iterator[LoggedPage]:
    """Every entry of the folder, file by file, the file that was written longest ago first.

    Files may be written and deleted meanwhile: an entry that is not there whole is left out.

    Raises:
        FeatureLogError: a file is not one of the feature log.
        OSError: a file cannot be read.
    """
    for _, _, path in files_of(folder):
        try:
            for entry in read_entries(path):
                yield decode(entry)
        except FileNotFoundError:
            continue
        except EntryError as error:
            raise FeatureLogError(f"{path}: {error}; it may be of another version of the software") from error
