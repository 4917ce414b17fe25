"""Bought_together's offline side: how often two items share a basket, less what is in every basket.

    score(i, j) = together(i, j) / (n_j + 10)^α · (1 + boost if both share the category)

with `together` of `recall.baskets` and n_j the number of baskets that hold j. The 10 keeps items of a few
baskets from leading by chance. An item with few neighbours is completed from its category.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.baskets import baskets_of
from recall.bought_together_settings import BoughtTogetherSettings
from recall.category_completion import category_completion, typical_best_score
from recall.channel import BuildSource
from recall.completed_neighbours import COMPLETION, NEIGHBOURS
from recall.interactions import interactions_of
from recall.lists import ItemLists, best_of_each_row, ranked_lists

RARE_BASKETS = 10


def build_tables(source: BuildSource, folder: Path, settings: BoughtTogetherSettings) -> dict[str, int]:
    """Write the neighbours of every item and the completion list of every category; returns their entries."""
    neighbours = basket_neighbours(source, settings)
    scale = typical_best_score(neighbours)
    completion = category_completion(interactions_of(source), source.catalogue, settings, scale)
    return {
        NEIGHBOURS: neighbours.write(folder, NEIGHBOURS),
        COMPLETION: completion.write(folder, COMPLETION),
    }


def basket_neighbours(source: BuildSource, settings: BoughtTogetherSettings) -> ItemLists:
    """The best in-stock neighbours of each item 1…N; row 0 is empty."""
    catalogue = source.catalogue
    baskets = baskets_of(source, settings)
    discount = popularity_discount(baskets.counts(catalogue.size), settings.popularity_exponent)
    discount[~catalogue.in_stock] = 0
    rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    items: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    scores: list[NDArray[np.float64]] = [np.empty(0, np.float64)]
    for block, together in baskets.pairs(catalogue.size, settings.pairs_per_block):
        row, item = np.repeat(np.arange(*block), np.diff(together.indptr)), together.indices
        category = catalogue.category[item]
        same_category = (catalogue.category[row] == category) & (category > 0)
        score = together.data * discount[item] * (1 + settings.same_category_boost * same_category)
        best = best_of_each_row(together.indptr, score, settings.neighbours)
        rows.append(row[best])
        items.append(item[best].astype(np.int32))
        scores.append(score[best])
    return ranked_lists(
        np.concatenate(rows),
        np.concatenate(items),
        np.concatenate(scores),
        catalogue.size + 1,
        settings.neighbours,
    )


def popularity_discount(baskets: NDArray[np.int64], exponent: float) -> NDArray[np.float64]:
    """(n + 10)^−α of items that are in n baskets; float64 of the same length."""
    return np.asarray((baskets + float(RARE_BASKETS)) ** -exponent, np.float64)
