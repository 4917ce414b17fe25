"""A hash table of 64-bit keys in one array: open addressing with linear probing (Knuth, TAOCP 3, 6.4).

The array's length is a power of two and 0 is a free slot. Keys are hashes already, so a key's first slot is
its lowest bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]
Slots = NDArray[np.intp]

MOST_PROBES = 4_096
"""Slots looked at for one key; a table that is at most half full needs far fewer."""


def find(table: UInt64, keys: UInt64) -> Slots:
    """intp[n]: the slot of each key, −1 where the table uint64[2^k] lacks it; the key 0 is in no table."""
    mask = np.uint64(table.size - 1)
    found = np.full(keys.size, -1, np.intp)
    waiting = np.flatnonzero(keys)
    at = (keys[waiting] & mask).astype(np.intp)
    for _ in range(MOST_PROBES):
        held = table[at]
        hit = held == keys[waiting]
        found[waiting[hit]] = at[hit]
        further = ~hit & (held != 0)
        if not further.any():
            break
        waiting, at = waiting[further], (at[further] + 1) & (table.size - 1)
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
