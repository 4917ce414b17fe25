"""What single shoppers saw and did of recall channels within a day, and what each adds to its group's sums.

A stratum is one shopper in one group (a scene, or one of its segments) on one day. Within it, of c channels,

    m_c        weight of what was shown of channel c: Σ credit · rate of the slot
    o_c        what was clicked (or bought) of it: Σ credit
    expected_c = Σ o · m_c / Σ m

so that a shopper is compared with nobody but themselves, and who clicks everything says nothing of channels.
The sums over strata of o, expected, (o − expected)² and of strata with events are changed by the difference
that new events make to their stratum, so that they are the same in whatever order events of a minute come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.stream.hashed_columns import KEYS, Columns, HashedColumns
from state.channel_rates.rates import SIGNALS

Int64 = NDArray[np.int64]

MOST_CHANNELS = 16
PARTS = ("taken", "expected", "variance", "shoppers")
"""Sums of a signal, in the order of their axis."""
FINE = 1 << 12
"""Sums, apart from those of squares, are in units of 1/`FINE` of a credit."""
_SHOWN = "shown"
_SHAPE = (MOST_CHANNELS,)


def _allocate(capacity: int) -> Columns:
    names = (_SHOWN, *SIGNALS)
    return {KEYS: np.zeros(capacity, np.uint64)} | {
        name: np.zeros((capacity, *_SHAPE), np.int32) for name in names
    }


class StratumEvents(NamedTuple):
    """m events of strata of one group.

    keys   uint64[m], of the strata
    shown  int64[m, channels], credit times the weight of the slot; 0 where nothing new was shown
    taken  signal → int64[m, channels], credit of what was clicked, bought
    """

    keys: NDArray[np.uint64]
    shown: Int64
    taken: Mapping[str, Int64]


class ChannelStrata:
    """The strata of one day."""

    def __init__(self) -> None:
        """There are none yet."""
        self._table = HashedColumns(_allocate)

    def __len__(self) -> int:
        """Number of strata."""
        return self._table.rows

    def has(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """bool[n]: which strata there are."""
        return self._table.find(keys) >= 0

    def add(self, events: StratumEvents) -> Int64:
        """Adds events; returns by how much their group's sums change, int64[signals, `PARTS`, channels]."""
        unique, inverse = np.unique(events.keys, return_inverse=True)
        slots, _ = self._table.ensure(unique)
        columns = self._table.columns
        before = _sums(columns, slots)
        for name, added in ((_SHOWN, events.shown), *events.taken.items()):
            total = np.zeros((unique.size, MOST_CHANNELS), np.int64)
            np.add.at(total, inverse, added)
            columns[name][slots] += total.astype(np.int32)
        return np.asarray((_sums(columns, slots) - before).sum(axis=0))

    def exported(self) -> dict[str, NDArray[Any]]:
        """As of `HashedColumns`."""
        return self._table.exported()

    def load(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """As of `HashedColumns`."""
        self._table.load(rows)


def _sums(columns: Columns, slots: NDArray[np.intp]) -> Int64:
    """int64[n, signals, `PARTS`, channels]: what each stratum adds to its group's sums."""
    shown = columns[_SHOWN][slots].astype(np.float64)
    whole = shown.sum(axis=1, keepdims=True)
    part = np.divide(shown, whole, out=np.zeros_like(shown), where=whole > 0)
    result = np.empty((slots.size, len(SIGNALS), len(PARTS), MOST_CHANNELS), np.int64)
    for row, name in enumerate(SIGNALS):
        taken = columns[name][slots].astype(np.float64)
        events = taken.sum(axis=1, keepdims=True)
        expected = events * part
        result[:, row, 0] = np.rint(taken * FINE)
        result[:, row, 1] = np.rint(expected * FINE)
        result[:, row, 2] = np.rint(np.square(taken - expected))
        result[:, row, 3] = ((events > 0) & (shown > 0)) * FINE
    return result
