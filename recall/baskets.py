"""Baskets of a log and, for every two items, how strongly they share baskets. Offline only.

A basket holds the distinct items that one shopper took in one session; without sessions, in events that
follow each other within a gap. For items i ≠ j

    together(i, j) = Σ over baskets b with both  1 / log2(1 + |b|)

since an item says less about the others the more there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.channel import BuildSource
from recall.lists import best_of_each_row
from recall.pair_blocks import Block, UserEvents, trigger_blocks
from recall.visit_settings import VisitSettings
from snapshot.event_codes import IMPRESSION, PURCHASE

MOSTLY_PURCHASES = 0.1
"""Share of purchases among the behaviours from which `auto` counts purchases alone."""


@dataclass(frozen=True, slots=True)
class Baskets:
    """Distinct (basket, item) pairs as columns of equal length, sorted by basket."""

    basket: NDArray[np.int32]
    """int32, 0…B − 1."""
    item: NDArray[np.int32]
    """int32, in the order in which the shopper took them last."""
    user: NDArray[np.int32]
    """int32[B], the shopper of each basket."""
    begin: NDArray[np.int64]
    """int64[B], unix second of each basket's first event."""

    def counts(self, size: int) -> NDArray[np.int64]:
        """In how many baskets each item 0…size is, int64[size + 1]."""
        return np.bincount(self.item, minlength=size + 1)

    def pairs(self, size: int, pairs_per_block: int) -> Iterator[tuple[Block, sp.csr_matrix]]:
        """`together` of a block of items start…stop − 1 with every item, block after block.

        Yields (block, float32[stop − start, size + 1]). A pair that shares no basket has no entry, nor has an
        item with itself.
        """
        shape = int(self.basket.max(initial=-1)) + 1, size + 1
        in_basket = sp.csr_matrix((np.ones(len(self.item), np.float32), (self.basket, self.item)), shape)
        of_item = in_basket.T.tocsr()
        in_basket.data /= np.log2(1 + np.repeat(np.diff(in_basket.indptr), np.diff(in_basket.indptr)))
        rows = UserEvents(self.basket, self.item, np.zeros(len(self.item), np.int64))
        for start, stop in trigger_blocks(rows, rows, size, pairs_per_block):
            together = (of_item[start:stop] @ in_basket).tocsr()
            row = np.repeat(np.arange(start, stop), np.diff(together.indptr))
            together.data[together.indices == row] = 0
            together.eliminate_zeros()
            yield (start, stop), together


@dataclass(frozen=True, slots=True)
class Partners:
    """The strongest partners of every item, as columns of equal length, sorted by item."""

    row: NDArray[np.int64]
    """int64, the item."""
    item: NDArray[np.int32]
    """int32, its partner."""
    together: NDArray[np.float32]
    """float32, how strongly both share baskets."""
    strength: NDArray[np.float64]
    """float64, by which partners were chosen."""


def strongest_partners(
    baskets: Baskets,
    size: int,
    pairs_per_block: int,
    most: int,
    strength: Callable[[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]], NDArray[np.float64]],
) -> Partners:
    """At most `most` partners of each item 1…size, chosen by strength(row, item, together)."""
    found = [Partners(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0))]
    for block, together in baskets.pairs(size, pairs_per_block):
        row, item = np.repeat(np.arange(*block), np.diff(together.indptr)), together.indices
        strengths = strength(row, item, together.data)
        best = best_of_each_row(together.indptr, strengths, most)
        found.append(Partners(row[best], item[best].astype(np.int32), together.data[best], strengths[best]))
    return Partners(
        *(np.concatenate([getattr(part, name) for part in found]) for name in Partners.__dataclass_fields__)
    )


def baskets_of(source: BuildSource, settings: VisitSettings) -> Baskets:
    """The baskets of the log up to `source.now`, a shopper's one after the other."""
    events = _filling(source, settings).sort("user", "ts", maintain_order=True)
    gap = int(settings.session_gap_minutes * 60)
    first = (pl.col("user") != pl.col("user").shift()) | (pl.col("ts") - pl.col("ts").shift() > gap)
    events = events.with_columns(first.fill_null(True).cum_sum().cast(pl.Int64).alias("run"))
    if "session_id" in events.columns:
        # Numbers of sessions are positive, numbers of runs negative: the two cannot meet.
        session = pl.struct("user", "session_id").rank("dense").cast(pl.Int64)
        known = pl.col("session_id").is_not_null()
        events = events.with_columns(pl.when(known).then(session).otherwise(-pl.col("run")).alias("run"))
    latest = (
        events.group_by("run", "item", maintain_order=True)
        .agg(pl.col("user").first(), pl.col("ts").max(), pl.col("ts").min().alias("begin"))
        .sort("run", "ts", maintain_order=True)
    )
    _, numbered = np.unique(latest["run"].to_numpy(), return_inverse=True)
    basket, item = numbered.astype(np.int32), latest["item"].to_numpy().astype(np.int32)
    ends = np.searchsorted(basket, basket, side="right")
    kept = ends - np.arange(len(basket)) <= settings.items_per_basket
    count = int(basket.max(initial=-1)) + 1
    begin = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(begin, basket, latest["begin"].to_numpy())
    first_row = np.searchsorted(basket, np.arange(count))
    user = latest["user"].to_numpy()[first_row].astype(np.int32)
    return Baskets(basket[kept], item[kept], user, begin)


def _filling(source: BuildSource, settings: VisitSettings) -> pl.DataFrame:
    behaviours = source.events.filter((pl.col("event") != IMPRESSION) & (pl.col("ts") <= source.now))
    bought = behaviours.filter(pl.col("event") == PURCHASE)
    mostly_bought = bought.height >= MOSTLY_PURCHASES * behaviours.height
    if settings.events == "purchases" or (settings.events == "auto" and mostly_bought):
        return bought
    return behaviours
