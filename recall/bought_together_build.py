"""Bought_together's offline side: how often two items share a basket, less what is in every basket.

    score(i, j) = together(i, j) / (n_j + 10)^α · (1 + boost if both share the category)

with `together` of `recall.baskets` and n_j the number of baskets that hold j. The 10 keeps items of a few
baskets from leading by chance. An item with few neighbours is completed from its category.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.baskets import baskets_of, strongest_partners
from recall.bought_together_settings import BoughtTogetherSettings
from recall.category_completion import category_completion, typical_best_score
from recall.channel import BuildSource
from recall.completed_neighbours import COMPLETION, NEIGHBOURS
from recall.interactions import interactions_of
from recall.lists import ItemLists, ranked_lists
from recall.popularity_discount import popularity_discount


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

    def score(
        row: NDArray[np.int64], item: NDArray[np.int32], together: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        category = catalogue.category[item]
        same_category = (catalogue.category[row] == category) & (category > 0)
        return np.asarray(together * discount[item] * (1 + settings.same_category_boost * same_category))

    found = strongest_partners(baskets, catalogue.size, settings.pairs_per_block, settings.neighbours, score)
    return ranked_lists(found.row, found.item, found.strength, catalogue.size + 1, settings.neighbours)
