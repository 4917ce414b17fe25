"""Baskets of a log and, for every two items, how strongly they share baskets. Offline only.

A basket holds the distinct items that one shopper took in one session; without sessions, in events that
follow each other within a gap. For items i ≠ j

    together(i, j) = Σ over baskets b with both  1 / log2(1 + |b|)

since an item says less about the others the more there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.channel import BuildSource
from recall.growing_lists import GrowingLists
from recall.lists import ItemLists, best_of_each_row, ranked_lists
from recall.pair_blocks import Block, UserEvents, pairs_by_trigger, trigger_blocks
from recall.visit_settings import VisitSettings
from snapshot.event_codes import IMPRESSION, PURCHASE
from snapshot.growing_columns import GrowingColumns
from snapshot.partition_work import Columns

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

    def load(self, size: int) -> NDArray[np.float64]:
        """How many items each item 0…size meets in its baskets, itself included; float64[size + 1]."""
        rows = self._rows()
        return pairs_by_trigger(rows, rows, size)

    def weighed(self, size: int) -> sp.csr_matrix:
        """float32[B, size + 1]: 1 / log2(1 + |b|) of each item of basket b."""
        held = np.bincount(self.basket, minlength=len(self.begin))
        ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(held)))
        weight = (1 / np.log2(1 + np.maximum(held, 1))).astype(np.float32)
        matrix = sp.csr_matrix((np.repeat(weight, held), self.item.copy(), ends), (len(held), size + 1))
        # Items were in the order in which they were taken; a row has one weight, which stays in its place.
        matrix.sort_indices()
        return matrix

    def pairs(
        self, size: int, pairs_per_block: int, within: Block | None = None
    ) -> Iterator[tuple[Block, sp.csr_matrix]]:
        """`together` of a block of items start…stop − 1 with every item, block after block.

        Yields (block, float32[stop − start, size + 1]), over all items or those of `within`. A pair that
        shares no basket has no entry, nor has an item with itself.
        """
        in_basket = self.weighed(size)
        of_item = in_basket.T.tocsr()
        of_item.data[:] = 1
        for start, stop in trigger_blocks(self.load(size), pairs_per_block, within or (1, size + 1)):
            together = (of_item[start:stop] @ in_basket).tocsr()
            row = np.repeat(np.arange(start, stop), np.diff(together.indptr))
            together.data[together.indices == row] = 0
            together.eliminate_zeros()
            yield (start, stop), together

    def _rows(self) -> UserEvents:
        return UserEvents(self.basket, self.item, np.zeros(len(self.item), np.int64))


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
    within: Block | None = None,
    scored_by: Literal["strength", "together"] = "strength",
) -> ItemLists:
    """At most `most` partners of each item, best first.

    Args:
        baskets: of the whole log.
        size: N.
        pairs_per_block: pairs in memory at once.
        most: partners kept of an item.
        strength: by which they are chosen: strength(row int64[p], item int32[p], together float32[p]) →
            float64[p], of pairs with so many shared baskets.
        within: the items whose partners are looked for, one row each; None = all, with an empty row 0 before.
        scored_by: what a partner's score is, and the lists are ordered by.

    Returns:
        One list for each row, scores float32.
    """
    found = GrowingLists()
    for block, together in baskets.pairs(size, pairs_per_block, within):
        row, item = np.repeat(np.arange(*block), np.diff(together.indptr)), together.indices
        strengths = strength(row, item, together.data)
        best = best_of_each_row(together.indptr, strengths, most)
        score = strengths[best] if scored_by == "strength" else together.data[best]
        # Block by block, since sorting all lists at once takes several times their memory.
        found.add(ranked_lists(row[best] - block[0], item[best], score, block[1] - block[0], most))
    lists = found.lists()
    return ItemLists.of_columns(lists.columns()) if within is None else lists


def baskets_of(source: BuildSource, settings: VisitSettings) -> Baskets:
    """The baskets of the log up to `source.now`, a shopper's one after the other."""
    contents = BasketContents(source.now, purchases_alone(source, settings), settings)
    count = 0
    with closing(GrowingColumns()) as rows, closing(GrowingColumns()) as baskets:
        for part in source.work.over_shoppers("baskets", basket_columns, source.events, contents):
            rows.add({"basket": part["basket"] + np.int32(count), "item": part["item"]})
            baskets.add({"user": part["user"], "begin": part["begin"]})
            count += len(part["begin"])
        return Baskets(**rows.columns(), **baskets.columns())


@dataclass(frozen=True)
class BasketContents:
    """What fills baskets: the log up to `now` (unix seconds), purchases alone or all behaviours."""

    now: int
    purchases: bool
    settings: VisitSettings


def basket_columns(events: pl.DataFrame, contents: BasketContents) -> Columns:
    """The columns of `Baskets` of some shoppers, by all their events; baskets are numbered from 0.

    Args:
        events: as `BuildSource.events`, whole shoppers.
        contents: which events fill baskets.
    """
    settings = contents.settings
    filling = (pl.col("event") == PURCHASE) if contents.purchases else (pl.col("event") != IMPRESSION)
    events = events.filter(filling & (pl.col("ts") <= contents.now)).sort("user", "ts", maintain_order=True)
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
        # By shopper first: the order of sums over baskets does not depend on who else is there.
        .sort("user", "run", "ts", maintain_order=True)
    )
    run = latest["run"].to_numpy()
    basket = (np.cumsum(np.diff(run, prepend=run[:1]) != 0)).astype(np.int32)
    item = latest["item"].to_numpy().astype(np.int32)
    ends = np.searchsorted(basket, basket, side="right")
    kept = ends - np.arange(len(basket)) <= settings.items_per_basket
    count = int(basket.max(initial=-1)) + 1
    begin = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(begin, basket, latest["begin"].to_numpy())
    first_row = np.searchsorted(basket, np.arange(count))
    user = latest["user"].to_numpy()[first_row].astype(np.int32)
    return {"basket": basket[kept], "item": item[kept], "user": user, "begin": begin}


def purchases_alone(source: BuildSource, settings: VisitSettings) -> bool:
    """Whether purchases alone fill baskets: the whole log decides, not a part of it."""
    if settings.events != "auto":
        return settings.events == "purchases"
    past = source.events.lazy().filter(pl.col("ts") <= source.now)
    counts = past.select(
        (pl.col("event") != IMPRESSION).sum().alias("behaviours"),
        (pl.col("event") == PURCHASE).sum().alias("bought"),
    ).collect()
    return bool(counts["bought"][0] >= MOSTLY_PURCHASES * counts["behaviours"][0])
