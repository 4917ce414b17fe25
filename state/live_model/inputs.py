"""Hashed inputs of the online ranker, the same for a sample that is learned and a candidate that is scored.

Each row has one active input per field, found by hashing the field's number and its value (Weinberger et al.,
"Feature hashing for large scale multitask learning", ICML 2009). A field whose value is not known has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from state.live_counters.keys import combined
from state.live_counters.kinds import UNKNOWN

UInt64 = NDArray[np.uint64]
Inputs = NDArray[np.int32]

FIELDS = (
    "bias",
    "item",
    "category",
    "shopper",
    "scene",
    "hour",
    "position",
    "shopper_category",
    "shopper_item",
    "item_scene",
    "category_hour",
    "region_category",
    "region_item",
    "crowd_category",
    "crowd_item",
    "weather_category",
)
"""Names of the fields, for the manual. Their order is part of the hash: add at the end."""
NONE = 0
"""The input of a field without a value; its weight stays 0."""
_LAST_POSITION = 20


@dataclass(frozen=True, slots=True)
class RankedRows:
    """What rows are about.

    items, categories, shoppers, scenes  uint64[n], keys of `state.live_counters.keys`; 0 where unknown
    hours      int64[n], hour of the day (UTC) 0…23 at which the answer is made
    positions  int32[n], slot on the page from 1; 0 where a row is scored, or it is unknown
    regions, crowds  uint64[n], as `state.live_counters.profile_keys` makes them, or uint64[1] where they are
               the same for all; 0 where unknown
    weathers   uint64[n], key of the alerts in force in the shopper's city, or uint64[1] likewise; 0 where
               there are none
    """

    items: UInt64
    categories: UInt64
    shoppers: UInt64
    scenes: UInt64
    hours: NDArray[np.int64]
    positions: NDArray[np.int32]
    regions: UInt64 = field(default_factory=lambda: UNKNOWN)
    crowds: UInt64 = field(default_factory=lambda: UNKNOWN)
    weathers: UInt64 = field(default_factory=lambda: UNKNOWN)


def hashed_inputs(rows: RankedRows, bits: int) -> Inputs:
    """int32[n, len(FIELDS)], each 1…2^bits − 1, or 0 where the field has no value."""
    count = rows.items.size
    one = np.ones(count, np.uint64)
    hours = rows.hours.astype(np.uint64) + np.uint64(1)
    positions = np.minimum(rows.positions, _LAST_POSITION).astype(np.uint64)
    values = (
        one,
        rows.items,
        rows.categories,
        rows.shoppers,
        rows.scenes,
        hours,
        positions,
        _crossed(rows.shoppers, rows.categories),
        _crossed(rows.shoppers, rows.items),
        _crossed(rows.items, rows.scenes),
        _crossed(rows.categories, hours),
        _crossed(rows.regions, rows.categories),
        _crossed(rows.regions, rows.items),
        _crossed(rows.crowds, rows.categories),
        _crossed(rows.crowds, rows.items),
        _crossed(rows.weathers, rows.categories),
    )
    found = np.empty((count, len(FIELDS)), np.int32)
    size = np.uint64((1 << bits) - 1)
    for at, value in enumerate(values):
        hashed = combined(value, np.uint64(at + 1)) % size + np.uint64(1)
        found[:, at] = np.where(value != 0, hashed, NONE)
    return found


def _crossed(first: UInt64, second: UInt64) -> UInt64:
    return np.where((first != 0) & (second != 0), combined(first, second), np.uint64(0))
