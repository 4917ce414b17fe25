"""What a page with a cart should complete: baskets of the log with some of their items held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.basket_settings import BasketSettings
from recall.baskets import baskets_of
from recall.channel import BuildSource


@dataclass(frozen=True, slots=True)
class HeldOutCart:
    """A basket of a shopper, split at random.

    user: index of the shopper; begin: unix second of the basket's first event; cart: int32[c], c ≥ 1, what is
    given; held_out: int32[h], h ≥ 1, what a page should show.
    """

    user: int
    begin: int
    cart: NDArray[np.int32]
    held_out: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class HeldOutCarts:
    """The same baskets twice: given all of their items but one, and given half of them."""

    all_but_one: Sequence[HeldOutCart]
    half: Sequence[HeldOutCart]


def held_out_carts(
    source: BuildSource, begin: int, end: int, fewest: int, limit: int, rng: np.random.Generator
) -> HeldOutCarts:
    """At most `limit` of the baskets of `fewest` (≥ 2) items or more in [begin, end), unix seconds.

    Baskets, and what is held out, are drawn by `rng`. `source`: the whole log.
    """
    inside = (pl.col("ts") >= begin) & (pl.col("ts") < end)
    baskets = baskets_of(replace(source, events=source.events.filter(inside), now=end - 1), BasketSettings())
    first = np.searchsorted(baskets.basket, np.arange(len(baskets.user)))
    length = np.diff(np.r_[first, len(baskets.basket)])
    drawn = np.sort(rng.permutation(np.flatnonzero(length >= fewest))[:limit])
    all_but_one, half = [], []
    for basket in drawn:
        items = rng.permutation(baskets.item[first[basket] : first[basket] + length[basket]])
        user, began = int(baskets.user[basket]), int(baskets.begin[basket])
        all_but_one.append(HeldOutCart(user, began, items[1:], items[:1]))
        half.append(HeldOutCart(user, began, items[len(items) // 2 :], items[: len(items) // 2]))
    return HeldOutCarts(all_but_one, half)
