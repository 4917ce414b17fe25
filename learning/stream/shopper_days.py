"""How often each shopper counted in a scene within a day, up to a cap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.stream.hashed_columns import KEYS, Columns, HashedColumns

_COUNTED = "counted"


def _allocate(capacity: int) -> Columns:
    return {KEYS: np.zeros(capacity, np.uint64), _COUNTED: np.zeros(capacity, np.int64)}


class ShopperDays:
    """Counts by day and key; the first events of each count, up to the cap."""

    def __init__(self, most: int, most_keys: int) -> None:
        """`most`: events of one key and day that count; `most_keys`: keys of a day, the first ones."""
        self._most = most
        self._most_keys = most_keys
        self.tables: dict[int, HashedColumns] = {}
        """By day since 1970."""

    @property
    def days(self) -> list[int]:
        """The days of which there are counts."""
        return sorted(self.tables)

    def within(self, days: NDArray[np.int64], keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """bool[n]: which events, in this order, of keys uint64[n] and days int64[n], count."""
        counts = np.zeros(keys.size, np.bool_)
        for day in np.unique(days).tolist():
            (of,) = np.nonzero(days == day)
            table = self.tables.setdefault(day, HashedColumns(_allocate))
            of = of[self._with_room(table, keys[of])]
            unique, inverse, sizes = np.unique(keys[of], return_inverse=True, return_counts=True)
            slots, _ = table.ensure(unique)
            counted = table.columns[_COUNTED]
            # The place of each event among those of its key.
            order = np.argsort(inverse, kind="stable")
            place = np.empty(of.size, np.int64)
            place[order] = np.arange(of.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            counts[of] = place + counted[slots][inverse] < self._most
            counted[slots] += sizes
        return counts

    def _with_room(self, table: HashedColumns, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """bool[n]: which events are of a key that the table has, or has room for."""
        unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        known = table.find(unique) >= 0
        arrived = np.flatnonzero(~known)
        room = max(0, self._most_keys - table.rows)
        known[arrived[np.argsort(first[arrived])][:room]] = True
        return np.asarray(known[inverse])

    def forget(self, oldest: int) -> None:
        """Drops days before `oldest`."""
        self.tables = {day: table for day, table in self.tables.items() if day >= oldest}

    def load(self, days: Sequence[int], arrays: Mapping[str, NDArray[Any]], prefix: str) -> None:
        """Replaces everything by tables under the names `<prefix><day>.<column>`."""
        self.tables = {}
        for day in days:
            table = self.tables[day] = HashedColumns(_allocate)
            table.load({name: arrays[f"{prefix}{day}.{name}"] for name in (KEYS, _COUNTED)})
