"""What a product page should show: for an item of a basket, the one that the shopper took next."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.basket_settings import BasketSettings
from recall.baskets import baskets_of
from recall.channel import BuildSource


@dataclass(frozen=True, slots=True)
class AnchorPairs:
    """Pairs as columns of equal length.

    user, anchor, target: int32[n]; the shopper took `target` right after `anchor` in the same basket.
    """

    user: NDArray[np.int32]
    anchor: NDArray[np.int32]
    target: NDArray[np.int32]


def next_in_basket(
    source: BuildSource, begin: int, end: int, limit: int, rng: np.random.Generator
) -> AnchorPairs:
    """One pair of each basket of two or more items in the time range [begin, end), unix seconds.

    The pair, and which `limit` baskets count, are drawn by `rng`. `source`: the whole log.
    """
    inside = (pl.col("ts") >= begin) & (pl.col("ts") < end)
    baskets = baskets_of(replace(source, events=source.events.filter(inside), now=end - 1), BasketSettings())
    first = np.searchsorted(baskets.basket, np.arange(len(baskets.user)))
    length = np.diff(np.r_[first, len(baskets.basket)])
    paired = np.flatnonzero(length > 1)
    paired = np.sort(rng.permutation(paired)[:limit])
    at = first[paired] + rng.integers(length[paired] - 1)
    return AnchorPairs(baskets.user[paired], baskets.item[at], baskets.item[at + 1])


def best_sold(source: BuildSource, among: int, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """`count` items, int32[≤ count], drawn from the `among` with most behaviours up to `source.now`."""
    sold = source.events.filter(pl.col("ts") <= source.now)["item"].to_numpy()
    counts = np.bincount(sold, minlength=source.catalogue.size + 1)
    counts[~source.catalogue.in_stock] = 0
    return best_of(counts, among, count, rng)


def best_of(
    counts: NDArray[np.integer], among: int, count: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """`count` items, int32[≤ count], drawn from the `among` of largest counts int[N + 1], above 0."""
    best = np.argsort(-counts, kind="stable")[:among]
    return rng.permutation(best[counts[best] > 0])[:count].astype(np.int32)
