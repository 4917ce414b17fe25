"""Rows under 64-bit keys, as columns: a hash table that grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from state.live_counters.slots import SMALLEST, Slots, UInt64, claim, find

Columns = Mapping[str, NDArray[Any]]
KEYS = "keys"


class HashedColumns:
    """Columns by name, one of them the keys; `columns[name][slot]` belongs to `columns["keys"][slot]`."""

    def __init__(self, allocate: Callable[[int], Columns], capacity: int = SMALLEST) -> None:
        """`allocate(c)`: columns of c free slots, all 0; `capacity`: the first c, a power of two."""
        self._allocate = allocate
        self.columns = allocate(capacity)
        self.rows = 0

    @property
    def keys(self) -> UInt64:
        """uint64[c], 0 where a slot is free."""
        return self.columns[KEYS]

    def find(self, keys: UInt64) -> Slots:
        """intp[n]: slots of keys, −1 where they are not there."""
        return find(self.keys, keys)

    def ensure(self, keys: UInt64) -> tuple[Slots, NDArray[np.bool_]]:
        """Slots of distinct keys, none of them 0, and which of them are new; new rows are all 0."""
        slots = self.find(keys)
        new = slots < 0
        added = int(np.count_nonzero(new))
        if added:
            if 2 * (self.rows + added) > self.keys.size:
                self._resize(capacity_for(self.rows + added), self.occupied())
                slots = self.find(keys)
            slots[new] = claim(self.keys, keys[new])
            self.rows += added
        return slots, new

    def occupied(self) -> Slots:
        """intp[rows]: slots in use."""
        return np.flatnonzero(self.keys)

    def keep(self, slots: Slots) -> None:
        """Drops every row but those in `slots`, intp[m]."""
        self._resize(capacity_for(slots.size), slots)

    def exported(self) -> dict[str, NDArray[Any]]:
        """The rows in use, by ascending key, as new arrays: the same for the same rows."""
        slots = self.occupied()
        slots = slots[np.argsort(self.keys[slots])]
        return {name: column[slots] for name, column in self.columns.items()}

    def load(self, rows: Columns) -> None:
        """Replaces all rows by those that `exported` gave."""
        keys = rows[KEYS]
        self.columns = self._allocate(capacity_for(keys.size))
        self.rows = int(keys.size)
        slots = claim(self.keys, keys)
        self._copy(rows, np.arange(keys.size), slots)

    def _resize(self, capacity: int, kept: Slots) -> None:
        before = self.columns
        self.columns = self._allocate(capacity)
        self.rows = int(kept.size)
        self._copy(before, kept, claim(self.keys, before[KEYS][kept]))

    def _copy(self, source: Columns, rows: Slots, slots: Slots) -> None:
        for name, column in source.items():
            if name != KEYS:
                self.columns[name][slots] = column[rows]


def capacity_for(rows: int) -> int:
    """A power of two of slots, of which so many rows take between a quarter and a half."""
    return max(SMALLEST, 1 << (2 * max(rows, 1) - 1).bit_length())
