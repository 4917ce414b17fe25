"""Reads live counters: for what a request is about, as of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from state.live_counters.counter_file import SHAPE, CounterColumns
from state.live_counters.decay import as_read
from state.live_counters.kinds import LIVE_KINDS, Subjects
from state.live_counters.slots import SMALLEST, find

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LiveCounters:
    """The counters that a learner keeps; without tables, of a shop that has none.

    tables  by kind
    """

    tables: Mapping[str, CounterColumns] = field(default_factory=dict)

    def has(self, kind: str) -> bool:
        """Whether anything is counted by a kind: not by city in a shop without a feature log, for example."""
        table = self.tables.get(kind)
        return table is not None and (table.keys.size > SMALLEST or bool(table.keys.any()))

    def counts(self, kind: str, subjects: Subjects, now_s: float) -> Float32:
        """float32[n, half-lives, signals] as of unix second `now_s`; 0 where nothing was counted.

        The axes are those of `state.live_counters.decay`. KeyError where there is no such kind.
        """
        key = LIVE_KINDS[kind].key
        table = self.tables.get(kind)
        if table is None:
            return np.zeros((subjects.items.size, *SHAPE), np.float32)
        slots = find(table.keys, key(subjects))
        known = np.flatnonzero(slots >= 0)
        if not known.size:
            return np.zeros((slots.size, *SHAPE), np.float32)
        at = slots.take(known)
        counts = as_read(table.counts.take(at, axis=0), table.ticks.take(at), now_s)
        if known.size == slots.size:
            return counts
        result = np.zeros((slots.size, *SHAPE), np.float32)
        result[known] = counts
        return result


NO_COUNTERS = LiveCounters()
"""Of a shop without a learner."""
