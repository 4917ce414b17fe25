"""Finds answers in the feature log by their attribution token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.stream.hashed_columns import KEYS, Columns, HashedColumns
from state.feature_log.log_file import entries_after
from state.feature_log.log_folder import files_of
from state.feature_log.logged_page import LoggedPage, decode
from state.live_counters.keys import text_key

_STEP = 10_000
_FILE, _AT = "file", "at"


def _allocate(capacity: int) -> Columns:
    return {
        KEYS: np.zeros(capacity, np.uint64),
        _FILE: np.zeros(capacity, np.int32),
        _AT: np.zeros(capacity, np.int64),
    }


@dataclass(frozen=True, slots=True)
class LoggedAnswers:
    """Where each answer of the feature log is, 20 to 80 bytes of memory each.

    columns  names of the further columns of scorers, over all answers, in the order of the alphabet
    """

    columns: tuple[str, ...]
    _paths: tuple[Path, ...]
    _index: HashedColumns

    @classmethod
    def of(cls, folder: Path) -> LoggedAnswers:
        """Reads the whole feature log once.

        Raises:
            FeatureLogError, EntryError: a file is not one of the feature log, or of another version.
            OSError: it cannot be read.
        """
        paths = tuple(path for _, _, path in files_of(folder))
        index, columns = HashedColumns(_allocate), set[str]()
        keys: list[int] = []
        places: list[tuple[int, int]] = []
        for number, path in enumerate(paths):
            for begin, page in _pages(path):
                keys.append(text_key(page.attribution_token))
                places.append((number, begin))
                columns.update(page.columns)
                if len(keys) >= _STEP:
                    _note(index, keys, places)
        _note(index, keys, places)
        return cls(tuple(sorted(columns)), paths, index)

    def __len__(self) -> int:
        """Answers."""
        return self._index.rows

    def pages(self, keys: NDArray[np.uint64]) -> list[LoggedPage | None]:
        """The answers of keys uint64[n], `text_key` of tokens; None where the log lacks them."""
        slots = self._index.find(keys)
        return [self._page(int(slot)) if slot >= 0 else None for slot in slots]

    def _page(self, slot: int) -> LoggedPage | None:
        path = self._paths[self._index.columns[_FILE][slot]]
        try:
            entries = entries_after(path, int(self._index.columns[_AT][slot]))
            return decode(next(entries)[1])
        except (FileNotFoundError, StopIteration):
            # Deleted meanwhile, to make room or with its shopper.
            return None


def _pages(path: Path) -> Iterator[tuple[int, LoggedPage]]:
    """The answers of a file, each with the byte behind which its entry begins."""
    begin = 0
    try:
        for end, content in entries_after(path, 0):
            yield begin, decode(content)
            begin = end
    except FileNotFoundError:
        return


def _note(index: HashedColumns, keys: list[int], places: list[tuple[int, int]]) -> None:
    """Adds answers to the index, the first of each key, and empties the lists."""
    found = np.array(keys, np.uint64)
    unique, first = np.unique(found, return_index=True)
    new = index.find(unique) < 0
    if new.any():
        slots, _ = index.ensure(unique[new])
        at: NDArray[Any] = np.array(places, np.int64)[first[new]]
        index.columns[_FILE][slots], index.columns[_AT][slots] = at[:, 0], at[:, 1]
    keys.clear()
    places.clear()
