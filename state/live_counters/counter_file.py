"""One kind's counters in a file that the learner and every replica of the machine map.

After a page of head follow keys uint64[c], ticks int64[c] and counts int64[c, h, s], little-endian, c being
a power of two. Only the learner writes. A reader may see a row between two of its writes, which is off by one
step of decay for one request. The file is made anew from the learner's checkpoint whenever it starts, so it
is never synced.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from state.live_counters.decay import HALF_LIVES_S, SIGNALS, TICK_S

MAGIC = b"SFLIVE1\n"
SUFFIX = ".counters"
_HEAD = struct.Struct("<8sQIII")
_HEAD_BYTES = 4_096
SHAPE = (len(HALF_LIVES_S), len(SIGNALS))
_SLOT_BYTES = 16 + 8 * SHAPE[0] * SHAPE[1]
_LARGEST = 1 << 28


class CounterFileError(Exception):
    """A file of counters cannot be used; the message names it and what to do."""


@dataclass(frozen=True, slots=True)
class CounterColumns:
    """The columns of a table, c slots.

    keys    uint64[c], 0 where a slot is free
    ticks   int64[c], minutes since 1970 of which the counts are
    counts  int64[c, half-lives, signals] in units of 2⁻²⁰
    """

    keys: NDArray[np.uint64]
    ticks: NDArray[np.int64]
    counts: NDArray[np.int64]


def make_counters(path: Path, capacity: int) -> CounterColumns:
    """Creates a file of `capacity` free slots, a power of two, and maps it to be written. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_HEAD.pack(MAGIC, capacity, *SHAPE, TICK_S))
        file.truncate(_HEAD_BYTES + capacity * _SLOT_BYTES)
    return _mapped(path, capacity, "r+")


def open_counters(path: Path) -> CounterColumns:
    """Maps a file to be read.

    Raises CounterFileError where it is none of this version, or torn, and OSError where it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        size = os.fstat(file.fileno()).st_size
    if len(head) < _HEAD.size:
        raise CounterFileError(f"{path} is torn; start the learner again, which makes it anew")
    magic, capacity, *rest = _HEAD.unpack(head)
    if magic != MAGIC or tuple(rest) != (*SHAPE, TICK_S):
        raise CounterFileError(f"{path} is of another version; start the learner of this version")
    if (
        not 0 < capacity <= _LARGEST
        or capacity & (capacity - 1)
        or size != _HEAD_BYTES + capacity * _SLOT_BYTES
    ):
        raise CounterFileError(f"{path} is torn; start the learner again, which makes it anew")
    return _mapped(path, capacity, "r")


def _mapped(path: Path, capacity: int, mode: str) -> CounterColumns:
    whole = np.memmap(path, np.uint8, mode="r+" if mode == "r+" else "r")
    keys = whole[_HEAD_BYTES : _HEAD_BYTES + 8 * capacity]
    ticks = whole[_HEAD_BYTES + 8 * capacity : _HEAD_BYTES + 16 * capacity]
    counts = whole[_HEAD_BYTES + 16 * capacity :]
    # Plain arrays over the mapping: every operation on a memmap costs microseconds more.
    return CounterColumns(
        np.asarray(keys).view(np.uint64),
        np.asarray(ticks).view(np.int64),
        np.asarray(counts).view(np.int64).reshape(capacity, *SHAPE),
    )
