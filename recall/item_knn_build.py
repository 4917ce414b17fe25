"""Item_knn's offline side: pairs of behaviours within reach of each other, counted less the further apart.

Over all pairs of behaviours of one shopper, at the places p and q of the sequence, with |q − p| ≤ reach:

    pair(i, j) = Σ over pairs of i at p and j at q  1 / (1 + (|q − p| − 1) / γ), times backward_weight where
                 q < p
    sim(i, j)  = pair(i, j) / ((n_i + 5)^a · (n_j + 5)^b)

with n the behaviours with an item; the 5 keeps items of a few behaviours from leading by chance. Repeated
behaviours count again: who takes both often, pairs them often.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.channel import BuildSource
from recall.item_knn_settings import ItemKnnSettings
from recall.lists import ItemLists, best_of_each_row, ranked_lists
from snapshot.event_codes import IMPRESSION
from snapshot.partition_work import Columns, Range, joined

RARE_BEHAVIOURS = 5.0
"""Added to each item's behaviours."""


def sequence_neighbours(source: BuildSource, settings: ItemKnnSettings) -> ItemLists:
    """The best in-stock neighbours of each item 1…N; row 0 is empty."""
    size = source.catalogue.size
    limits = SequenceLimits(source.now, settings.events_per_user)
    columns = joined(source.work.over_shoppers("sequences", sequence_columns, source.events, limits))
    count = np.bincount(columns["item"], minlength=size + 1)
    scale = (count + RARE_BEHAVIOURS) ** -settings.popularity_exponent
    scale[~source.catalogue.in_stock] = 0
    parts = source.work.over_ranges(
        "item_knn", neighbours_of_range, count, settings, {**columns, "target_scale": scale}
    )
    found = joined(parts)
    return ranked_lists(found["row"], found["item"], found["score"], size + 1, settings.neighbours)


def neighbours_of_range(items: Range, settings: ItemKnnSettings, columns: Columns) -> Columns:
    """The best neighbours of the items of a range: row int64, item int32, score float64."""
    user, item, target_scale = columns["user"], columns["item"], columns["target_scale"]
    size = len(target_scale) - 1
    count = np.bincount(item, minlength=size + 1) + RARE_BEHAVIOURS
    by_item = np.argsort(item, kind="stable")
    ends = np.searchsorted(item[by_item], np.arange(size + 2))
    most = max(settings.pairs_per_block // (2 * settings.reach), 1)
    rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    neighbours: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    scores: list[NDArray[np.float64]] = [np.empty(0, np.float64)]
    start, end = items
    while start < end:
        full = int(np.searchsorted(ends, ends[start] + most, side="right")) - 1
        stop = min(max(full, start + 1), end)
        pairs = _pair_sums(user, item, by_item[ends[start] : ends[stop]], (start, stop), size, settings)
        row = np.repeat(np.arange(start, stop), np.diff(pairs.indptr))
        score = pairs.data * target_scale[pairs.indices] * count[row] ** -settings.trigger_exponent
        best = best_of_each_row(pairs.indptr, score, settings.neighbours)
        rows.append(row[best])
        neighbours.append(pairs.indices[best].astype(np.int32))
        scores.append(score[best])
        start = stop
    return {"row": np.concatenate(rows), "item": np.concatenate(neighbours), "score": np.concatenate(scores)}


@dataclass(frozen=True)
class SequenceLimits:
    """What of a log counts: nothing after `now` (unix seconds), the latest behaviours of each shopper."""

    now: int
    events_per_user: int


def sequence_columns(events: pl.DataFrame, limits: SequenceLimits) -> Columns:
    """User and item of some shoppers' latest behaviours, oldest first; int32[e] each."""
    done = events.filter((pl.col("event") != IMPRESSION) & (pl.col("ts") <= limits.now))
    user, item = done["user"].to_numpy().astype(np.int32), done["item"].to_numpy().astype(np.int32)
    # An item bought is often viewed and put into the cart just before: one behaviour in three events.
    again = np.r_[False, (user[1:] == user[:-1]) & (item[1:] == item[:-1])][: len(user)]
    user, item = user[~again], item[~again]
    left = np.searchsorted(user, user, side="right") - np.arange(len(user))
    latest = (left <= limits.events_per_user) & (item > 0)
    return {"user": user[latest], "item": item[latest]}


def _pair_sums(
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    triggers: NDArray[np.int64],
    block: tuple[int, int],
    size: int,
    settings: ItemKnnSettings,
) -> sp.csr_matrix:
    """`pair` of the items start…stop − 1 with every item: float32[stop − start, size + 1].

    triggers: int64[t], the places of these items' behaviours in the columns `user` and `item`.
    """
    start, stop = block
    row: list[NDArray[np.int64]] = []
    column: list[NDArray[np.int32]] = []
    value: list[NDArray[np.float32]] = []
    for distance in range(1, settings.reach + 1):
        worth = 1 / (1 + (distance - 1) / settings.distance_scale)
        for step, weight in ((distance, worth), (-distance, worth * settings.backward_weight)):
            target = triggers + step
            inside = np.flatnonzero((target >= 0) & (target < len(user)))
            first, second = triggers[inside], target[inside]
            paired = (user[first] == user[second]) & (item[first] != item[second])
            row.append(item[first[paired]] - np.int64(start))
            column.append(item[second[paired]])
            value.append(np.full(int(paired.sum()), weight, np.float32))
    total = sp.csr_matrix(
        (np.concatenate(value), (np.concatenate(row), np.concatenate(column))),
        shape=(stop - start, size + 1),
    )
    total.sum_duplicates()
    return total
