"""Visits of a log as columns, in the order of time. Offline only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recall.baskets import baskets_of
from recall.channel import BuildSource
from recall.interactions import interactions_of
from recall.visit_settings import VisitSettings


@dataclass(frozen=True, slots=True)
class Visits:
    """The newest visits with two items or more, the oldest first.

    Visit v holds items[offsets[v]:offsets[v + 1]], distinct, in the order in which they were taken last.
    """

    offsets: NDArray[np.int64]
    """int64[V + 1]."""
    items: NDArray[np.int32]
    """int32[total]."""
    begin: NDArray[np.int64]
    """int64[V], unix second of the first event."""

    @classmethod
    def of(cls, source: BuildSource, settings: VisitSettings, newest: int) -> Visits:
        """At most the `newest` visits of the log up to `source.now`."""
        baskets = baskets_of(source, settings)
        return _newest(baskets.basket, baskets.item, baskets.begin, newest)

    @classmethod
    def of_shoppers(cls, source: BuildSource, items_per_user: int, newest: int) -> Visits:
        """All that a shopper took as one visit, which begins with their latest item.

        The `newest` shoppers with two items or more, of each the latest `items_per_user`.
        """
        taken = interactions_of(source, items_per_user)
        user, number = np.unique(taken.user, return_inverse=True)
        last = np.zeros(len(user), np.int64)
        np.maximum.at(last, number, taken.ts)
        return _newest(number, taken.item, last, newest)


def _newest(
    number: NDArray[np.integer], item: NDArray[np.int32], begin: NDArray[np.int64], newest: int
) -> Visits:
    """Visits 0…len(begin) − 1 by (number, item) pairs, sorted by number, in the order of `begin`."""
    size = np.bincount(number, minlength=len(begin))
    first = np.cumsum(size) - size
    several = np.flatnonzero(size > 1)
    chosen = several[np.argsort(begin[several], kind="stable")][-newest:]
    lengths = size[chosen]
    offsets = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    at = np.arange(offsets[-1]) + np.repeat(first[chosen] - offsets[:-1], lengths)
    return Visits(offsets, item[at], begin[chosen])
