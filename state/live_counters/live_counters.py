"""Reads live counters: for what a request is about, as of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from state.live_counters.counter_file import SHAPE, CounterColumns
from state.live_counters.decay import as_read
from state.live_counters.kinds import LIVE_KINDS, Subjects
from state.live_counters.slots import find

Float32 = NDArray[np.float32]
_NO_SLOTS = np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class LiveCounters:
    """The counters that a learner keeps; without tables, of a shop that has none.

    tables  by kind
    """

    tables: Mapping[str, CounterColumns] = field(default_factory=dict)

    def counts(self, kind: str, subjects: Subjects, now_s: float) -> Float32:
        """float32[n, half-lives, signals] as of unix second `now_s`; 0 where nothing was counted.

        The axes are those of `state.live_counters.decay`. KeyError where there is no such kind.
        """
        keys = LIVE_KINDS[kind].key(subjects)
        table = self.tables.get(kind)
        slots = find(table.keys, keys) if table is not None else _NO_SLOTS
        known = np.flatnonzero(slots >= 0)
        if table is None or not known.size:
            return np.zeros((keys.size, *SHAPE), np.float32)
        at = slots.take(known)
        counts = as_read(table.counts.take(at, axis=0), table.ticks.take(at), now_s)
        if known.size == keys.size:
            return counts
        result = np.zeros((keys.size, *SHAPE), np.float32)
        result[known] = counts
        return result


NO_COUNTERS = LiveCounters()
"""Of a shop without a learner."""
