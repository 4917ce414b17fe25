"""Visits found by any item they hold: inverted lists, each cut to the newest visits with the item."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

if TYPE_CHECKING:
    from recall.visits import Visits

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class VisitIndex:
    """V visits, numbered by time, of a catalogue of N items.

    Visit v holds visit_items[visit_ends[v]:visit_ends[v + 1]]; item i is in the visits
    item_visits[item_ends[i]:item_ends[i + 1]], newest first, of each at the place item_places[…] (from 0).
    """

    visit_ends: NDArray[np.int64]
    """int64[V + 1]."""
    visit_items: NDArray[np.int32]
    """int32[total]."""
    age_days: NDArray[np.float32]
    """float32[V], when the index was built."""
    item_ends: NDArray[np.int64]
    """int64[N + 2]."""
    item_visits: NDArray[np.int32]
    """int32[at most total]."""
    item_places: NDArray[np.int16]
    """int16, as many."""
    frequency: NDArray[np.int32]
    """int32[N + 1]: the visits that hold the item, those cut off too."""

    @classmethod
    def of(cls, visits: Visits, size: int, now: int, visits_per_item: int) -> VisitIndex:
        """The index of `visits` for items 0…size, of which each is found in its newest `visits_per_item`."""
        lengths = np.diff(visits.offsets)
        visit = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        place = np.arange(len(visit)) - visits.offsets[visit]
        # Visits ascend in time: a stable sort by item of the reversed columns has the newest first.
        by_item = len(visit) - 1 - np.argsort(visits.items[::-1], kind="stable")
        frequency = np.bincount(visits.items, minlength=size + 1)
        begin = np.cumsum(frequency) - frequency
        rank = np.arange(len(by_item)) - np.repeat(begin, frequency)
        kept = by_item[rank < visits_per_item]
        ends = np.zeros(size + 2, np.int64)
        np.cumsum(np.minimum(frequency, visits_per_item), out=ends[1:])
        return cls(
            visits.offsets,
            visits.items,
            (np.maximum(now - visits.begin, 0) / _DAY_S).astype(np.float32),
            ends,
            visit[kept],
            place[kept].astype(np.int16),
            frequency.astype(np.int32),
        )

    def with_items(
        self, items: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int64]]:
        """The visits that hold each of the items, one item after the other.

        Returns the visits int32[m], the places there int16[m], and the position in `items` of each, int64[m].
        """
        at, source = _ranges(self.item_ends[items], self.item_ends[items + 1])
        return self.item_visits[at], self.item_places[at], source

    def contents(
        self, visits: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """What each of the visits holds: items int32[m], places int64[m], positions in `visits` int64[m]."""
        begins = self.visit_ends[visits]
        at, source = _ranges(begins, self.visit_ends[visits + 1])
        return self.visit_items[at], at - begins[source], source

    def write(self, folder: Path) -> dict[str, int]:
        """One file per column; returns how many visits and entries of the inverted lists there are."""
        for field in fields(self):
            save_column(folder, field.name, getattr(self, field.name))
        return {"visits": len(self.age_days), "entries": len(self.item_visits)}

    @classmethod
    def open(cls, folder: Path, size: int) -> VisitIndex:
        """Memory-map what `write` wrote, of a catalogue of `size` items.

        Raises SnapshotError where a file is missing or torn, or the files do not fit each other.
        """
        visit_ends = load_column(folder, "visit_ends", np.dtype(np.int64))
        item_ends = load_column(folder, "item_ends", np.dtype(np.int64), size + 2)
        for name, ends in (("visit_ends", visit_ends), ("item_ends", item_ends)):
            if not len(ends) or ends[0] != 0 or np.any(np.diff(ends) < 0):
                raise SnapshotError(folder, f"{name}.npy", "does not rise from 0", "build the folder again")
        entries = int(item_ends[-1])
        return cls(
            visit_ends,
            load_column(folder, "visit_items", np.dtype(np.int32), int(visit_ends[-1])),
            load_column(folder, "age_days", np.dtype(np.float32), len(visit_ends) - 1),
            item_ends,
            load_column(folder, "item_visits", np.dtype(np.int32), entries),
            load_column(folder, "item_places", np.dtype(np.int16), entries),
            load_column(folder, "frequency", np.dtype(np.int32), size + 1),
        )


def _ranges(
    begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions begin…end − 1 of each range, one after the other, and the range each belongs to."""
    lengths = ends - begins
    source = np.repeat(np.arange(len(lengths)), lengths)
    return np.arange(len(source)) + (begins - (np.cumsum(lengths) - lengths))[source], source
