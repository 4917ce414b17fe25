"""The files that one process writes into the folder of the feature log, which other replicas share."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from foundation.storage.files_by_age import files_by_age
from snapshot.durable_files import sync_folder
from state.feature_log.log_file import OVERHEAD, SUFFIX, FeatureLogFile
from state.feature_log.settings import FeatureLogSettings

PREFIX = "features-"

Written = Literal["written", "too_large"]


class FeatureLogFolder:
    """Appends entries to files of this process and keeps the folder within its size.

    Files are called features-<host>-<pid>-<time of begin, UTC>-<number>.features. Not safe for several
    threads.
    """

    def __init__(
        self,
        settings: FeatureLogSettings,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: monotonic seconds; `wall_clock`: unix seconds, for names. Nothing is opened yet."""
        self._settings = settings
        self._clock = clock
        self._wall_clock = wall_clock
        self._file: FeatureLogFile | None = None
        self._synced_at = 0.0
        self._unsynced = False
        self._number = 0

    def write(self, entry: bytes) -> Written:
        """Appends an entry; "too_large" where no file has room for it.

        Raises OSError where the disk refused; the file is given up, and the next call begins another.
        """
        if len(entry) + OVERHEAD > self._settings.file_bytes:
            return "too_large"
        try:
            if self._file is None or not self._file.append(entry):
                self.close()
                self._delete_oldest()
                self._file = self._open()
                self._file.append(entry)
            self._unsynced = True
            self.sync_due()
        except OSError:
            self._give_up()
            raise
        return "written"

    def sync_due(self) -> None:
        """Puts what was written on disk where the last time is `sync_s` ago. Raises OSError."""
        if self._file is None or not self._unsynced:
            return
        if self._clock() - self._synced_at < self._settings.sync_s:
            return
        self._file.sync()
        self._synced_at, self._unsynced = self._clock(), False

    def close(self) -> None:
        """Puts the file in use on disk; the next entry begins another. Raises OSError."""
        file, self._file = self._file, None
        self._unsynced = False
        if file is not None:
            file.close()

    def _give_up(self) -> None:
        # The first failure is the one that is reported; the file is closed either way.
        with suppress(OSError):
            self.close()

    def _open(self) -> FeatureLogFile:
        folder = self._settings.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        host = re.sub(r"[^A-Za-z0-9.]+", "_", socket.gethostname())
        begun = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._wall_clock()))
        self._number += 1
        file = FeatureLogFile(
            folder / f"{PREFIX}{host}-{os.getpid()}-{begun}-{self._number}{SUFFIX}", self._settings.file_bytes
        )
        sync_folder(folder)
        return file

    def _delete_oldest(self) -> None:
        """Makes room for one more file."""
        files = files_of(self._settings.folder)
        used = sum(size for _, size, _ in files)
        for _, size, path in files:
            if used <= self._settings.max_bytes - self._settings.file_bytes:
                return
            path.unlink(missing_ok=True)
            used -= size


def files_of(folder: Path) -> list[tuple[float, int, Path]]:
    """Time of the last write, bytes and path of every file of the feature log, oldest first."""
    return files_by_age(folder, f"{PREFIX}*{SUFFIX}")
