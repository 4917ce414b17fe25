"""Log files of bounded size: the newest lines in `name`, older ones in `name.1`, then `name.2`."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from logging import LogRecord
from logging.handlers import WatchedFileHandler
from pathlib import Path

_MIB = 1024 * 1024


class RotatingFile(WatchedFileHandler):
    """Appends to a file that several processes write, and moves it away once it is large enough.

    Whichever process finds the file full moves it; the others notice, as they notice what `logrotate` does,
    and open the new one. Nobody waits for anybody: a process that was stopped in the middle of a move leaves
    the file growing, and every other one writing.

    Example:
        >>> handler = RotatingFile(Path("replicas.log"), max_mib=64, kept=3)
        >>> logging.getLogger().addHandler(handler)
    """

    def __init__(self, path: Path, max_mib: float, kept: int) -> None:
        """Opens `path`; at `max_mib` (0: never) it becomes `path.1`, and `kept` older files remain."""
        super().__init__(path)
        self._path = path
        self._max_bytes = int(max_mib * _MIB)
        self._kept = kept

    def emit(self, record: LogRecord) -> None:
        """Writes one line, to a new file where the present one is full; an error of either goes to stderr."""
        try:
            if self._is_full():
                self._move()
        except OSError:
            self.handleError(record)
        super().emit(record)

    def _is_full(self) -> bool:
        return self._path.exists() and 0 < self._max_bytes <= self._path.stat().st_size

    def _move(self) -> None:
        with _alone(self._path) as alone:
            # Another process may have moved it since it was found full.
            if alone and self._is_full():
                _shift(self._path, self._kept)
                self._path.replace(_older(self._path, 1))


def move_if_full(path: Path, max_mib: float, kept: int) -> None:
    """Empties a log that other programs hold open for appending once it has `max_mib` (0: never).

    What it held goes to `path.1`, and `kept` older files remain. Lines written between the copy and the
    emptying are lost, as with the `copytruncate` of logrotate. A file that is not there is none to move.

    Raises:
        OSError: the disk has no room for the copy; the log is as it was.
    """
    if not max_mib or not path.exists() or path.stat().st_size < max_mib * _MIB:
        return
    copy = path.with_name(f"{path.name}.copy")
    try:
        shutil.copyfile(path, copy)
        _shift(path, kept)
        copy.replace(_older(path, 1))
    finally:
        copy.unlink(missing_ok=True)
    os.truncate(path, 0)


def _older(path: Path, age: int) -> Path:
    return path.with_name(f"{path.name}.{age}")


def _shift(path: Path, kept: int) -> None:
    """Renames `path.1` to `path.2` and so on; the oldest is replaced."""
    for age in range(kept - 1, 0, -1):
        if _older(path, age).exists():
            _older(path, age).replace(_older(path, age + 1))


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether no other process is moving the file; held until the block ends, or this process does."""
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
