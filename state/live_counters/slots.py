"""A hash table of 64-bit keys in one array: open addressing with linear probing (Knuth, TAOCP 3, 6.4).

The array's length is a power of two and 0 is a free slot. Keys are hashes already, so a key's first slot is
its lowest bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]
Slots = NDArray[np.intp]

SMALLEST = 1 << 10
"""Slots of a table that begins."""
_NEXT = np.arange(8)
"""Slots that are looked at together behind a key's first one: they share a line or two of the cache."""
MOST_PROBES = 4_096
"""Slots looked at for one key; a table that is at most half full needs far fewer."""


def find(table: UInt64, keys: UInt64) -> Slots:
    """intp[n]: the slot of each key, −1 where the table uint64[2^k] lacks it; the key 0 is in no table."""
    mask = table.size - 1
    at = (keys & np.uint64(mask)).astype(np.intp)
    held = table.take(at)
    asked = keys != 0
    hit = (held == keys) & asked
    found = np.where(hit, at, -1)
    waiting = np.flatnonzero(asked & ~hit & (held != 0))
    keys, at = keys.take(waiting), at.take(waiting) + 1
    for _ in range(0, MOST_PROBES, _NEXT.size):
        if not waiting.size:
            break
        slots = (at[:, None] + _NEXT) & mask
        held = table.take(slots)
        rows, columns = np.nonzero(held == keys[:, None])
        found[waiting.take(rows)] = slots[rows, columns]
        further = np.asarray(held.all(axis=1))
        further[rows] = False
        left = np.flatnonzero(further)
        waiting, keys, at = waiting.take(left), keys.take(left), at.take(left) + _NEXT.size
    return found


def claim(table: UInt64, keys: UInt64) -> Slots:
    """intp[n]: puts keys, distinct, not 0 and not in the table, into free slots; returns these.

    The caller keeps the table at most half full; RuntimeError where a key finds no slot.
    """
    mask = np.uint64(table.size - 1)
    slots = np.full(keys.size, -1, np.intp)
    waiting = np.arange(keys.size)
    at = (keys & mask).astype(np.intp)
    for _ in range(MOST_PROBES):
        free = np.flatnonzero(table[at] == 0)
        # Of keys that want the same free slot the first gets it.
        taken, first = np.unique(at[free], return_index=True)
        winners = free[first]
        table[taken] = keys[waiting[winners]]
        slots[waiting[winners]] = taken
        left = np.ones(waiting.size, np.bool_)
        left[winners] = False
        waiting, at = waiting[left], at[left]
        if not waiting.size:
            return slots
        at = np.where(table[at] != 0, (at + 1) & (table.size - 1), at)
    raise RuntimeError(f"{waiting.size} keys find no slot in a table of {table.size}")
