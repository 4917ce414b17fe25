"""The files of an LMDB environment, which LMDB maps: whether they are still what was mapped.

Touching a page that a mapped file has no more, because another program has shortened it, kills the process
with SIGBUS. LMDB itself only makes its files longer, so one that is shorter was cut off.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from foundation.storage.errors import StorageUnavailable
from foundation.storage.names import StorageNames

logger = logging.getLogger(__name__)

DATA_FILE, _LOCK = "data.mdb", "lock.mdb"
_PAGE = 4096
_READER_BYTES = 64


class LmdbFiles:
    """Compares the files of an environment with what was mapped; about 3 µs.

    By path, never by a descriptor: closing any descriptor of the lock file would end LMDB's locks on it.
    """

    def __init__(self, folder: Path, names: StorageNames) -> None:
        """The files of an environment that has just been opened; OSError where they are gone already."""
        self._names = names
        found = {folder / name: os.stat(folder / name) for name in (DATA_FILE, _LOCK)}
        self._inodes = {str(path): status.st_ino for path, status in found.items()}
        self._bytes = {str(path): status.st_size for path, status in found.items()}
        self._lock = str(folder / _LOCK)
        self._fault = ""

    def check(self) -> None:
        """Raises StorageUnavailable where a file was removed, replaced or shortened."""
        fault = self._find_fault()
        if fault != self._fault:
            self._fault = fault
            if fault:
                logger.error("%s", fault)
            else:
                logger.warning("the files of %s are whole again", self._names.contents)
        if fault:
            raise StorageUnavailable(fault)

    def make_closable(self) -> None:
        """Gives the lock file back its length, since LMDB writes to it when the environment is closed."""
        if os.path.exists(self._lock) and os.stat(self._lock).st_size < self._bytes[self._lock]:
            os.truncate(self._lock, self._bytes[self._lock])

    def _find_fault(self) -> str:
        for path, inode in self._inodes.items():
            # Before the look: another thread may see the file grow between the two.
            least = self._bytes[path]
            try:
                status = os.stat(path)
            except OSError as error:
                return self._told(path, f"is gone ({error.strerror})")
            if status.st_ino != inode:
                return self._told(path, "was replaced")
            if status.st_size < least:
                return self._told(path, f"was shortened from {least} to {status.st_size} bytes")
            self._bytes[path] = status.st_size
        return ""

    def _told(self, path: str, what: str) -> str:
        return (
            f"{self._names.contents}: {path} {what} while it was in use; put a backup in its place and "
            "start again"
        )


def allocate_lock_file(folder: Path, max_readers: int) -> int:
    """Gives the lock file its blocks on the disk before LMDB maps it: a hole would need room when written.

    Returns a descriptor, to be closed once the environment is, and not before: closing it ends LMDB's locks.
    Raises OSError where the disk is full or the file cannot be written.
    """
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # The length of one that other processes have mapped must not change.
    length = os.fstat(descriptor).st_size or -(-max_readers * _READER_BYTES // _PAGE) * _PAGE + _PAGE
    try:
        os.posix_fallocate(descriptor, 0, length)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
