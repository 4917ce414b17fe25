"""What is counted by what: a new kind is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from state.live_counters.keys import ALL_KEY, combined

UInt64 = NDArray[np.uint64]

UNKNOWN: UInt64 = np.zeros(1, np.uint64)
"""Of something that is known of none of the events or candidates."""
UNKNOWN.flags.writeable = False
_LATELY = np.ones(1, np.uint64)
"""What tells the latest impressions of a pair from all of them."""


def _unknown() -> UInt64:
    return UNKNOWN


@dataclass(frozen=True, slots=True)
class Subjects:
    """What events or candidates are about, as keys of `state.live_counters`; 0 where there is none.

    items    uint64[n]
    others   uint64[n], or uint64[1] where it is the same for all
    regions  of the shopper's city, and `crowds` of gender and age band, as serving knew them
    """

    items: UInt64
    categories: UInt64
    scenes: UInt64
    shoppers: UInt64
    shops: UInt64 = field(default_factory=_unknown)
    queries: UInt64 = field(default_factory=_unknown)
    regions: UInt64 = field(default_factory=_unknown)
    crowds: UInt64 = field(default_factory=_unknown)


@dataclass(frozen=True, slots=True)
class LiveKind:
    """One kind of counter.

    key          subjects → uint64[n], by which they are counted; 0: not counted
    most_rows    rows kept; above it those that shoppers took least lately are dropped
    description  for the manual
    served       whether it needs what only serving knew of the shopper: then it is counted by labelled
                 samples, of answers that the feature log has, and not event by event
    most_impressions  impressions that a row keeps when a minute is over: where it has more, all that it
                 counts is scaled down in proportion, so that it is of the latest ones; None: no bound
    """

    key: Callable[[Subjects], UInt64]
    most_rows: int
    description: str
    served: bool = False
    most_impressions: int | None = None


def _each(keys: UInt64, of: Subjects) -> UInt64:
    return keys if keys.size == of.items.size else np.broadcast_to(keys, of.items.shape)


def _pairs(first: UInt64, second: UInt64) -> UInt64:
    return np.where((first != 0) & (second != 0), combined(first, second), np.uint64(0))


LIVE_KINDS: Mapping[str, LiveKind] = {
    "all": LiveKind(lambda of: np.full(of.items.size, ALL_KEY, np.uint64), 1, "everything together"),
    "category": LiveKind(lambda of: _each(of.categories, of), 50_000, "items of a category"),
    "item": LiveKind(lambda of: of.items, 500_000, "an item"),
    "shop": LiveKind(lambda of: _each(of.shops, of), 50_000, "items of a shop"),
    "item_scene": LiveKind(lambda of: _pairs(of.items, of.scenes), 500_000, "an item in a scene"),
    "shopper_category": LiveKind(
        lambda of: _pairs(of.shoppers, _each(of.categories, of)), 500_000, "a shopper in a category"
    ),
    "shopper_category_lately": LiveKind(
        lambda of: _pairs(_pairs(of.shoppers, _each(of.categories, of)), _LATELY),
        500_000,
        "a shopper in a category, over the latest impressions",
        most_impressions=16,
    ),
    "query_category": LiveKind(
        lambda of: _pairs(_each(of.categories, of), of.queries), 200_000, "a category behind a search query"
    ),
    "region_item": LiveKind(
        lambda of: _pairs(of.items, of.regions), 500_000, "an item in a city", served=True
    ),
    "crowd_item": LiveKind(
        lambda of: _pairs(of.items, of.crowds), 500_000, "an item in a crowd (gender, age band)", served=True
    ),
}
"""Kinds by name."""
