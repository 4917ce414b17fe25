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

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.category_completion import category_completion, typical_best_score
from recall.channel import BuildSource
from recall.completed_neighbours import COMPLETION, NEIGHBOURS
from recall.follow_rate import ClickRate, FollowRate
from recall.interactions import Interactions, impressions_of, interactions_of
from recall.lists import ItemLists, best_of_each_row, ranked_lists
from recall.pair_blocks import Block, PairValue, pair_sums, trigger_blocks
from recall.ranki2i_settings import Ranki2iSettings


def build_tables(source: BuildSource, folder: Path, settings: Ranki2iSettings) -> dict[str, int]:
    """Write the neighbours of every item and the completion list of every category; returns their entries."""
    taken = interactions_of(source).latest_of_each_user(settings.items_per_user)
    neighbours = item_neighbours(taken, source, settings)
    completion = category_completion(taken, source.catalogue, settings, typical_best_score(neighbours))
    return {
        NEIGHBOURS: neighbours.write(folder, NEIGHBOURS),
        COMPLETION: completion.write(folder, COMPLETION),
    }


def item_neighbours(taken: Interactions, source: BuildSource, settings: Ranki2iSettings) -> ItemLists:
    """The best in-stock targets of each item 1…N; row 0 is empty."""
    size = source.catalogue.size
    weight = _pair_weight(taken, settings)
    scale = _popularity_scale(taken, size, settings.popularity_exponent)
    rate = _rate(taken, source, settings)
    rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    items: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    scores: list[NDArray[np.float64]] = [np.empty(0, np.float64)]
    for block in trigger_blocks(taken.events, taken.events, size, settings.pairs_per_block):
        row, item, score = _similar(taken, source, settings, block, weight, scale)
        score *= rate.of(block, row, item) ** settings.rate_exponent
        best = best_of_each_row(
            np.searchsorted(row, np.arange(block[0], block[1] + 1)), score, settings.neighbours
        )
        rows.append(row[best])
        items.append(item[best])
        scores.append(score[best])
    return ranked_lists(
        np.concatenate(rows), np.concatenate(items), np.concatenate(scores), size + 1, settings.neighbours
    )


def _similar(
    taken: Interactions,
    source: BuildSource,
    settings: Ranki2iSettings,
    block: Block,
    weight: PairValue,
    scale: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """The shortlist of a block of triggers: trigger, target and similarity of each pair."""
    catalogue = source.catalogue
    pairs = pair_sums(taken.events, taken.events, catalogue.size, block, weight)
    row, item = np.repeat(np.arange(*block), np.diff(pairs.indptr)), pairs.indices
    category = catalogue.category[item]
    same_category = (catalogue.category[row] == category) & (category > 0)
    similarity = pairs.data * scale[row] * scale[item] * (1 + settings.same_category_boost * same_category)
    similarity[~catalogue.in_stock[item]] = 0
    shortlisted = best_of_each_row(pairs.indptr, similarity, settings.neighbours * settings.shortlist)
    return row[shortlisted], item[shortlisted], similarity[shortlisted]


def _pair_weight(taken: Interactions, settings: Ranki2iSettings) -> PairValue:
    activity = _activity(taken)
    scale = settings.time_scale_hours * 3600

    def weight(trigger: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.float32]:
        gap = (taken.ts[target] - taken.ts[trigger]).astype(np.float32)
        decay = 1 / (1 + np.abs(gap) / np.float32(scale))
        decay[gap < 0] *= settings.backward_weight
        return decay * (taken.score * activity)[trigger] * taken.score[target]

    return weight


def _activity(taken: Interactions) -> NDArray[np.float32]:
    """1 / log(1 + |N(u)|) of each interaction's shopper."""
    items_of_user = np.bincount(taken.user)
    return (1 / np.log1p(items_of_user[taken.user])).astype(np.float32)


def _popularity_scale(taken: Interactions, size: int, exponent: float) -> NDArray[np.float64]:
    mass = np.bincount(taken.item, weights=taken.score**2 * _activity(taken), minlength=size + 1)
    scale = np.zeros(size + 1)
    scale[mass > 0] = mass[mass > 0] ** -exponent
    return scale


def _rate(taken: Interactions, source: BuildSource, settings: Ranki2iSettings) -> FollowRate | ClickRate:
    """Click-through where anything was shown, else conversion."""
    window = int(settings.follow_window_hours * 3600)
    shown = impressions_of(source)
    size = source.catalogue.size
    if len(shown.item):
        return ClickRate.over(taken.events, shown, size, window, settings.rate_prior)
    return FollowRate.over(taken.events, size, window, settings.rate_prior)
