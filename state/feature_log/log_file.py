"""One file of the feature log: written entry by entry, and read back up to where its writer was killed.

A file begins with `MAGIC`. Each entry follows as its length, its CRC-32 that begins with the length (both
uint32, little-endian), and the bytes themselves. An entry whose bytes begin with `_ERASED` was erased: its
length counts, its CRC does not.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

MAGIC = b"SFFEAT1\n"
SUFFIX = ".features"
_HEAD = struct.Struct("<II")
_ERASED = 1 << 31
OVERHEAD = len(MAGIC) + _HEAD.size
"""Bytes of a file beside those of its one entry."""


class FeatureLogError(Exception):
    """A file of the feature log cannot be read; the message names it and what to do."""


class FeatureLogFile:
    """Appends entries to one new file of at most `max_bytes`, its owner's alone.

    Each entry is given to the system in one call, so only a machine that goes down or a full disk tears the
    last one. Not safe for several threads.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Creates the file. Raises FileExistsError where there is one, and OSError."""
        self.path = path
        self._left = max_bytes - len(MAGIC)
        self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)  # noqa: SIM115
        self._write(MAGIC)

    def append(self, entry: bytes) -> bool:
        """Appends an entry; False, with nothing written, where it does not fit.

        Raises OSError where it could not be written whole: the file must then be closed, since what follows
        a torn entry cannot be read.
        """
        framed = _HEAD.pack(len(entry), zlib.crc32(entry, len(entry))) + entry
        if len(framed) > self._left:
            return False
        self._write(framed)
        self._left -= len(framed)
        return True

    def sync(self) -> None:
        """Puts what was appended on disk. Raises OSError."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Puts everything on disk; raises OSError where that fails, the file closed all the same."""
        try:
            self.sync()
        finally:
            self._file.close()

    def _write(self, content: bytes) -> None:
        if self._file.write(content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._file.name)


def read_entries(path: Path) -> Iterator[bytes]:
    """The entries of a file, which may still be written; a torn one ends it, erased ones are left out.

    Raises FeatureLogError where the file is not one of the feature log, FileNotFoundError where it is gone,
    and OSError where it cannot be read.
    """
    with path.open("rb") as file:
        for _, entry, is_erased in _entries(file, path):
            if not is_erased:
                yield entry


def entries_after(path: Path, at: int) -> Iterator[tuple[int, bytes]]:
    """The entries of a file that begin at byte `at`, 0 for its first, each with the byte where it ends.

    For following a file while it is written: continue with the last end. Erased entries are left out. Errors
    as `read_entries`.
    """
    with path.open("rb") as file:
        for begin, entry, is_erased in _entries(file, path, at):
            if not is_erased:
                yield begin + len(entry), entry


def erase_entries(path: Path, is_wanted: Callable[[bytes], bool]) -> int:
    """Erases the entries of a file that are wanted, and returns how many; on disk on return.

    They are overwritten in place, so that the file may be read and appended to meanwhile. Killed half way,
    it leaves each entry whole or erased. Errors as `read_entries`.
    """
    erased, changed = 0, False
    with path.open("r+b", buffering=0) as file:
        for at, entry, is_erased in _entries(file, path):
            # One that was erased is not zero yet where the process was killed half way.
            if not (entry.count(0) < len(entry) if is_erased else is_wanted(entry)):
                continue
            # One byte says that an entry is erased, and one byte is written whole or not at all.
            length = (len(entry) | _ERASED).to_bytes(4, "little")
            os.pwrite(file.fileno(), length[3:], at - _HEAD.size + 3)
            os.pwrite(file.fileno(), bytes(len(entry)), at)
            erased += not is_erased
            changed = True
        if changed:
            os.fsync(file.fileno())
    return erased


def _entries(file: IO[bytes], path: Path, after: int = 0) -> Iterator[tuple[int, bytes, bool]]:
    """Offset, bytes, and whether it was erased, of every entry that is there whole.

    `after`: 0, or the end of the entry behind which it begins.
    """
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        if MAGIC.startswith(magic):
            return
        raise FeatureLogError(
            f"{path} is not a file of the feature log, or of another version of it; move it out of the folder"
        )
    at = max(len(MAGIC), after)
    file.seek(at)
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        is_erased = bool(length & _ERASED)
        length &= ~_ERASED
        entry = file.read(length)
        at += _HEAD.size
        # A machine that went down may have left zeros, which are no entry either.
        if not length or len(entry) < length or not (is_erased or zlib.crc32(entry, length) == checksum):
            return
        yield at, entry, is_erased
        at += length
