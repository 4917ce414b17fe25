"""The counters of one kind, in the file that replicas map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.stream.hashed_columns import KEYS, Columns, HashedColumns
from state.live_counters.counter_file import SUFFIX, make_counters
from state.live_counters.decay import HALF_LIVES_S, ONE, SIGNALS, decayed
from state.live_counters.slots import UInt64

_IMPRESSIONS = SIGNALS.index("impressions")
_LONGEST = list(HALF_LIVES_S).index("7d")
_KEPT = 7 / 8
"""Part of the bound that is left when rows are dropped, so that it does not happen every minute."""


class CounterTable:
    """Adds to counters; its file changes where the table is made larger or smaller."""

    def __init__(self, folder: Path, kind: str, most_rows: int, most_impressions: int | None = None) -> None:
        """Makes the first file. Raises OSError.

        `most_rows`: above it `evict` drops rows. `most_impressions`: as of `LiveKind`.
        """
        self._folder = folder
        self._kind = kind
        self._most_rows = most_rows
        self._most_impressions = most_impressions
        self._number = 0
        self.file = ""
        self._table = HashedColumns(self._allocate)

    def __len__(self) -> int:
        """Rows."""
        return self._table.rows

    def add(self, keys: UInt64, signals: NDArray[np.uint8], tick: int) -> None:
        """Counts events of one minute: uint64[n] keys, uint8[n] positions in SIGNALS; the key 0 is left out.

        `tick`: the minute, not before that of an earlier call.
        """
        counted = keys != 0
        unique, inverse = np.unique(keys[counted], return_inverse=True)
        if not unique.size:
            return
        width = len(SIGNALS)
        added = np.bincount(inverse * width + signals[counted], minlength=unique.size * width)
        slots, _ = self._table.ensure(unique)
        columns = self._table.columns
        rows = columns["counts"][slots]
        later = tick - columns["ticks"][slots]
        (older,) = np.nonzero(later)
        rows[older] = decayed(self._bounded(rows[older]), later[older])
        rows += added.reshape(unique.size, 1, width) * ONE
        columns["counts"][slots] = rows
        columns["ticks"][slots] = tick

    def _bounded(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[n, h, s]: counts of a minute that is over, of at most `most_impressions` impressions.

        The sums of a minute do not depend on how it was cut into batches, so neither does this.
        """
        if self._most_impressions is None:
            return counts
        impressions = counts[:, :, _IMPRESSIONS]
        bound = self._most_impressions * ONE
        (rows,) = np.nonzero((impressions > bound).any(axis=1))
        scaled = counts.copy()
        factors = bound / np.maximum(impressions[rows], bound)
        scaled[rows] = np.rint(counts[rows] * factors[:, :, None])
        return scaled

    def evict(self, tick: int) -> int:
        """Drops rows where there are more than the bound, the least counted first; returns how many."""
        if self._table.rows <= self._most_rows:
            return 0
        slots = self._table.occupied()
        columns = self._table.columns
        ages = tick - columns["ticks"][slots]
        worth = decayed(columns["counts"][slots], ages)[:, _LONGEST].sum(axis=1)
        order = np.lexsort((columns[KEYS][slots], -worth))
        kept = order[: max(1, int(_KEPT * self._most_rows))]
        self._table.keep(slots[kept])
        return slots.size - kept.size

    def exported(self) -> dict[str, NDArray[np.generic]]:
        """As of `HashedColumns`."""
        return self._table.exported()

    def load(self, rows: Columns) -> None:
        """As of `HashedColumns`."""
        self._table.load(rows)

    def _allocate(self, capacity: int) -> Columns:
        self._number += 1
        while True:
            name = f"{self._kind}-{self._number}{SUFFIX}"
            try:
                columns = make_counters(self._folder / name, capacity)
            except FileExistsError:
                # Left by a learner before this one, and still mapped by replicas.
                self._number += 1
                continue
            break
        self.file = name
        return {KEYS: columns.keys, "ticks": columns.ticks, "counts": columns.counts}
