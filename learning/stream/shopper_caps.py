"""How many events of one shopper count within an hour, so that a robot does not decide what is popular."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.stream.event_columns import EventColumns
from learning.stream.hashed_columns import KEYS, Columns, HashedColumns
from learning.stream.settings import StreamSettings
from snapshot.event_codes import IMPRESSION
from state.live_counters.keys import combined

_COUNTED = "counted"


def _allocate(capacity: int) -> Columns:
    return {KEYS: np.zeros(capacity, np.uint64), _COUNTED: np.zeros(capacity, np.int64)}


class ShopperCaps:
    """Counts the events of each shopper in the present hour of the log."""

    def __init__(self, settings: StreamSettings) -> None:
        """Nothing is counted yet."""
        self._limits = np.array([settings.shopper_events, settings.shopper_impressions])
        self._table = HashedColumns(_allocate)

    def begin_hour(self) -> None:
        """Forgets the hour before."""
        self._table = HashedColumns(_allocate)

    def within(self, events: EventColumns) -> NDArray[np.bool_]:
        """bool[n]: which events, all of one hour and in the order of the log, count.

        An impression counts while its shopper's other events do: else it would be learned from as one
        without a click, whose click is left out.
        """
        shown = events.codes == IMPRESSION
        keys = combined(events.shoppers, np.where(shown, np.uint64(2), np.uint64(1)))
        unique, inverse, sizes = np.unique(keys, return_inverse=True, return_counts=True)
        slots, _ = self._table.ensure(unique)
        counted = self._table.columns[_COUNTED]
        # The place of each event among those of its key.
        order = np.argsort(inverse, kind="stable")
        place = np.empty(keys.size, np.int64)
        place[order] = np.arange(keys.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        place += counted[slots][inverse]
        counted[slots] += sizes
        within: NDArray[np.bool_] = place < self._limits[shown.astype(np.intp)]
        within[shown] &= self._clickable(events, shown)
        return within

    def _clickable(self, events: EventColumns, shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool[m]: of the impressions, whether events of their shopper other than impressions count then.

        The events are counted already.
        """
        shoppers, others = events.shoppers, np.flatnonzero(~shown)
        unique, inverse = np.unique(shoppers, return_inverse=True)
        slots = self._table.find(combined(unique, np.uint64(1)))
        total = np.where(slots >= 0, self._table.columns[_COUNTED][slots], 0)
        total -= np.bincount(inverse[others], minlength=unique.size)
        # Of each shopper, in the order of the log: how many there were, with those before this batch.
        order = np.argsort(inverse, kind="stable")
        so_far = np.cumsum(~shown[order])
        begins = np.searchsorted(inverse[order], np.arange(unique.size))
        earlier = np.concatenate(([0], so_far))[begins]
        count = np.empty(shoppers.size, np.int64)
        count[order] = so_far - earlier[inverse[order]]
        return np.asarray((count + total[inverse])[shown] < self._limits[0])

    def exported(self) -> dict[str, NDArray[Any]]:
        """As of `HashedColumns`."""
        return self._table.exported()

    def load(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """As of `HashedColumns`."""
        self._table.load(rows)
