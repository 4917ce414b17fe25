"""What is counted by what: a new kind is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from state.live_counters.keys import SHOP_KEY, combined

UInt64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Subjects:
    """What events are about, as keys of `state.live_counters.keys`, uint64[n] each; 0 where there is none."""

    items: UInt64
    categories: UInt64
    scenes: UInt64
    shoppers: UInt64


@dataclass(frozen=True, slots=True)
class LiveKind:
    """One kind of counter.

    key          subjects → uint64[n], by which they are counted; 0: not counted
    most_rows    rows kept; above it those that shoppers took least lately are dropped
    description  for the manual
    """

    key: Callable[[Subjects], UInt64]
    most_rows: int
    description: str


def _pairs(first: UInt64, second: UInt64) -> UInt64:
    return np.where((first != 0) & (second != 0), combined(first, second), np.uint64(0))


LIVE_KINDS: Mapping[str, LiveKind] = {
    "shop": LiveKind(lambda of: np.full(of.items.size, SHOP_KEY, np.uint64), 1, "everything together"),
    "category": LiveKind(lambda of: of.categories, 50_000, "items of a category"),
    "item": LiveKind(lambda of: of.items, 500_000, "an item"),
    "item_scene": LiveKind(lambda of: _pairs(of.items, of.scenes), 500_000, "an item in a scene"),
    "shopper_category": LiveKind(
        lambda of: _pairs(of.shoppers, of.categories), 500_000, "a shopper in a category"
    ),
}
"""Kinds by name."""
