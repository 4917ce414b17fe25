"""Ranki2i's offline side: similarity(trigger, target) × smoothed rate(trigger → target), cut to the best n.

Similarity is item-based collaborative filtering (Sarwar et al., WWW 2001; Linden et al., IEEE Internet
Computing 2003). For a shopper u with distinct items N(u), each with a behaviour score s and its latest time
t:

    pair(i, j) = Σ_u  s_ui · s_uj · decay(t_uj − t_ui) / log(1 + |N(u)|)
    decay(gap) = 1 / (1 + |gap| / time_scale),  times backward_weight where the target came first
    mass_i     = Σ_u  s_ui² / log(1 + |N(u)|)
    sim(i, j)  = pair(i, j) / (mass_i · mass_j)^β · (1 + boost if both share the category)

1 / log(1 + |N(u)|) is the inverse user frequency of Breese et al. (UAI 1998). The best targets by
similarity are shortlisted, and score(i, j) = sim(i, j) · rate(i → j)^γ with the rate of
`recall.follow_rate`.

A trigger that met few items is completed from its category: the hottest items of the category and of the
categories most often shared with it, on a scale below that of real neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recall.category_completion import category_completion, typical_best_score
from recall.channel import BuildSource
from recall.completed_neighbours import COMPLETION, NEIGHBOURS
from recall.follow_rate import ClickRate, FollowRate
from recall.growing_lists import GrowingLists
from recall.interactions import Interactions, impressions_of, interactions_of
from recall.lists import ItemLists, best_of_each_row, ranked_lists
from recall.pair_blocks import (
    Block,
    PairValue,
    UserEvents,
    pair_sums,
    pairs_by_trigger,
    trigger_blocks,
)
from recall.ranki2i_settings import Ranki2iSettings
from snapshot.log_parts import sums_by
from snapshot.partition_work import Columns, Range, joined


def build_tables(source: BuildSource, folder: Path, settings: Ranki2iSettings) -> dict[str, int]:
    """Write the neighbours of every item and the completion list of every category; returns their entries."""
    taken = interactions_of(source, settings.items_per_user)
    neighbours = item_neighbours(taken, source, settings)
    completion = category_completion(taken, source.catalogue, settings, typical_best_score(neighbours))
    return {
        NEIGHBOURS: neighbours.write(folder, NEIGHBOURS),
        COMPLETION: completion.write(folder, COMPLETION),
    }


def item_neighbours(taken: Interactions, source: BuildSource, settings: Ranki2iSettings) -> ItemLists:
    """The best in-stock targets of each item 1…N; row 0 is empty."""
    catalogue = source.catalogue
    size = catalogue.size
    rate = _rate(taken, source, settings)
    columns = {
        **{name: getattr(taken, name) for name in ("user", "item", "ts", "score")},
        "scale": _popularity_scale(taken, size, settings.popularity_exponent),
        "pairs": pairs_by_trigger(taken.events, taken.events, size),
        "prior": rate.prior,
        "category": np.asarray(catalogue.category),
        "in_stock": np.asarray(catalogue.in_stock),
        **({} if isinstance(rate, FollowRate) else _shown_columns(rate)),
    }
    parts = source.work.over_ranges("ranki2i", neighbours_of_range, columns["pairs"], settings, columns)
    return ItemLists.of_columns(joined(parts))


def neighbours_of_range(items: Range, settings: Ranki2iSettings, columns: Columns) -> Columns:
    """The best targets of the trigger items of a range, as columns of lists."""
    inputs = _Inputs.of(columns, settings)
    # Block by block, since sorting all lists at once takes several times their memory.
    found = GrowingLists()
    for block in trigger_blocks(columns["pairs"], settings.pairs_per_block, items):
        row, item, score = _similar(inputs, settings, block)
        score *= inputs.rate.of(block, row, item) ** settings.rate_exponent
        best = best_of_each_row(
            np.searchsorted(row, np.arange(block[0], block[1] + 1)), score, settings.neighbours
        )
        found.add(
            ranked_lists(
                row[best] - block[0], item[best], score[best], block[1] - block[0], settings.neighbours
            )
        )
    return found.lists().columns()


@dataclass(frozen=True)
class _Inputs:
    """What the targets of any trigger are computed from, of the whole log."""

    taken: Interactions
    weight: PairValue
    scale: NDArray[np.float64]
    rate: FollowRate | ClickRate
    category: NDArray[np.int32]
    in_stock: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: Columns, settings: Ranki2iSettings) -> _Inputs:
        taken = Interactions(*(columns[name] for name in ("user", "item", "ts", "score")))
        window, size = _window(settings), len(columns["category"]) - 1
        rate: FollowRate | ClickRate
        if "shown_item" in columns:
            shown = UserEvents(*(columns[f"shown_{name}"] for name in ("user", "item", "ts")))
            rate = ClickRate(
                taken.events, shown, columns["clicked"], size, window, settings.rate_prior, columns["prior"]
            )
        else:
            rate = FollowRate(taken.events, size, window, settings.rate_prior, columns["prior"])
        weight = _pair_weight(taken, settings)
        return cls(taken, weight, columns["scale"], rate, columns["category"], columns["in_stock"])


def _shown_columns(rate: ClickRate) -> dict[str, NDArray[Any]]:
    shown = rate.shown
    return {
        "shown_user": shown.user,
        "shown_item": shown.item,
        "shown_ts": shown.ts,
        "clicked": rate.clicked,
    }


def _similar(
    inputs: _Inputs, settings: Ranki2iSettings, block: Block
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """The shortlist of a block of triggers: trigger, target and similarity of each pair."""
    taken, scale = inputs.taken.events, inputs.scale
    pairs = pair_sums(taken, taken, len(inputs.category) - 1, block, inputs.weight)
    row, item = np.repeat(np.arange(*block), np.diff(pairs.indptr)), pairs.indices
    category = inputs.category[item]
    same_category = (inputs.category[row] == category) & (category > 0)
    similarity = pairs.data * scale[row] * scale[item] * (1 + settings.same_category_boost * same_category)
    similarity[~inputs.in_stock[item]] = 0
    shortlisted = best_of_each_row(pairs.indptr, similarity, settings.neighbours * settings.shortlist)
    return row[shortlisted], item[shortlisted], similarity[shortlisted]


def _pair_weight(taken: Interactions, settings: Ranki2iSettings) -> PairValue:
    scaled = taken.score * _activity(taken)
    scale = settings.time_scale_hours * 3600

    def weight(trigger: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.float32]:
        gap = (taken.ts[target] - taken.ts[trigger]).astype(np.float32)
        # In place: there are millions of pairs.
        decay = np.abs(gap)
        decay /= np.float32(scale)
        decay += 1
        np.divide(1, decay, out=decay)
        np.multiply(decay, np.float32(settings.backward_weight), out=decay, where=gap < 0)
        decay *= scaled[trigger]
        decay *= taken.score[target]
        return decay

    return weight


def _activity(taken: Interactions) -> NDArray[np.float32]:
    """1 / log(1 + |N(u)|) of each interaction's shopper, float32[n]."""
    # Who took nothing has no interaction.
    items_of_user = np.maximum(np.bincount(taken.user), 1)
    return (1 / np.log1p(items_of_user)).astype(np.float32)[taken.user]


def _popularity_scale(taken: Interactions, size: int, exponent: float) -> NDArray[np.float64]:
    activity = _activity(taken)
    mass = sums_by(taken.item, lambda rows: taken.score[rows] ** 2 * activity[rows], size + 1)
    scale = np.zeros(size + 1)
    scale[mass > 0] = mass[mass > 0] ** -exponent
    return scale


def _rate(taken: Interactions, source: BuildSource, settings: Ranki2iSettings) -> FollowRate | ClickRate:
    """Click-through where anything was shown, else conversion."""
    window = _window(settings)
    shown = impressions_of(source)
    size = source.catalogue.size
    if len(shown.item):
        return ClickRate.over(taken.events, shown, size, window, settings.rate_prior)
    return FollowRate.over(taken.events, size, window, settings.rate_prior)


def _window(settings: Ranki2iSettings) -> int:
    return int(settings.follow_window_hours * 3600)
