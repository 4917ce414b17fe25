"""The file of a process's counts, kept in memory and written with write(2) instead of being mapped.

The library maps the files it counts in. A page of a mapped file that the disk has no room for, or that
another program has cut off, kills the process with SIGBUS at the next count: a full disk under the metrics
ended every replica. Written from memory, a count that cannot be written is written later, and the process
lives.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
from pathlib import Path

logger = logging.getLogger(__name__)

FLUSH_S = 0.5
"""Seconds from a count to its being in the file. What was not written when a process is killed is lost."""

_HEADER = 8
_USED = struct.Struct("i")
_LENGTH = struct.Struct("i")
_VALUE = struct.Struct("dd")


class CountsFile:
    """What `prometheus_client.mmap_dict.MmapedDict` is to the library, in its format; see there for it.

    A file that another process of this id left is begun anew: counters that begin at 0 are restarts to
    Prometheus.
    """

    def __init__(self, filename: str) -> None:
        """Writes nothing before the first value."""
        self._path = Path(filename)
        self._image = bytearray(_HEADER)
        _USED.pack_into(self._image, 0, _HEADER)
        self._positions: dict[str, int] = {}
        self._failing = False

    def read_value(self, key: str) -> tuple[float, float]:
        """Value and time (unix seconds) under a key, which is begun at 0."""
        value, timestamp = _VALUE.unpack_from(self._image, self._position(key))
        return value, timestamp

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Sets the value and time under a key; it is in the file within `FLUSH_S`."""
        _VALUE.pack_into(self._image, self._position(key), value, timestamp)
        _WRITER.note(self)

    def close(self) -> None:
        """Writes what is not yet in the file."""
        self.write()

    def write(self) -> bool:
        """Writes the counts; whether they are in the file. A failure is logged once until it ends."""
        # One copy, so that counts made meanwhile are in the next.
        image = bytes(self._image)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # A reader believes the header, which comes last.
                _write_at(descriptor, image[_HEADER:], _HEADER)
                _write_at(descriptor, image[:_HEADER], 0)
                os.ftruncate(descriptor, len(image))
            finally:
                os.close(descriptor)
        except OSError as error:
            if not self._failing:
                logger.error("counts are kept in memory, as %s cannot be written: %s", self._path, error)
            self._failing = True
            return False
        if self._failing:
            logger.info("counts are written to %s again", self._path)
        self._failing = False
        return True

    def _position(self, key: str) -> int:
        position = self._positions.get(key)
        if position is None:
            encoded = key.encode()
            padded = encoded + b" " * (8 - (len(encoded) + _LENGTH.size) % 8)
            self._image += _LENGTH.pack(len(encoded)) + padded + _VALUE.pack(0.0, 0.0)
            position = self._positions[key] = len(self._image) - _VALUE.size
            _USED.pack_into(self._image, 0, len(self._image))
            _WRITER.note(self)
        return position


class _Writer:
    """Writes files that changed, from a timer of its own, so that a slow disk holds up no count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._changed: set[CountsFile] = set()
        self._armed = False

    def note(self, file: CountsFile) -> None:
        """Has a file written soon."""
        if file in self._changed and self._armed:
            return
        with self._lock:
            self._changed.add(file)
            self._arm()

    def write(self) -> None:
        """Writes every file that changed; those that cannot be written are tried again."""
        with self._writing:
            with self._lock:
                changed, self._changed = self._changed, set()
                self._armed = False
            failed = {file for file in changed if not file.write()}
        if failed:
            with self._lock:
                self._changed |= failed
                self._arm()

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            timer = threading.Timer(FLUSH_S, self.write)
            timer.name = "counts"
            timer.daemon = True
            timer.start()


_WRITER = _Writer()


def flush_counts() -> None:
    """Writes all counts of this process to their files now."""
    _WRITER.write()


def is_whole(path: Path) -> bool:
    """Whether a file of counts can be read: not one that is empty or was cut off by another program."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
            return len(header) == _HEADER and _USED.unpack_from(header)[0] <= os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return False


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
