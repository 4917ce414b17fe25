"""Bought_together's offline side: how often two items share a basket, less what is in every basket.

    score(i, j) = together(i, j) / (n_j + 10)^α · (1 + boost if both share the category)

with `together` of `recall.baskets` and n_j the number of baskets that hold j. The 10 keeps items of a few
baskets from leading by chance. An item with few neighbours is completed by what its category goes with
(`recall.category_partners`), scored alike, and by the best sold of its category and of related ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.baskets import Baskets, baskets_of, strongest_partners
from recall.bought_together_settings import BoughtTogetherSettings
from recall.category_completion import category_completion, typical_best_score
from recall.category_partners import category_partners
from recall.channel import BuildSource
from recall.completed_neighbours import COMPLETION, NEIGHBOURS
from recall.interactions import interactions_of
from recall.lists import ItemLists, ranked_lists, united
from recall.popularity_discount import popularity_discount
from snapshot.catalogue import Catalogue
from snapshot.partition_work import IN_THIS_PROCESS, Columns, PartitionWork, Range, joined


def build_tables(source: BuildSource, folder: Path, settings: BoughtTogetherSettings) -> dict[str, int]:
    """Write the neighbours of every item and the completion list of every category; returns their entries."""
    baskets = baskets_of(source, settings)
    neighbours = basket_neighbours(baskets, source.catalogue, settings, source.work)
    scale = typical_best_score(neighbours)
    best_sold = category_completion(interactions_of(source), source.catalogue, settings, scale)
    goes_with = category_neighbours(baskets, source.catalogue, settings)
    completion = united(goes_with, best_sold, settings.category_items)
    return {
        NEIGHBOURS: neighbours.write(folder, NEIGHBOURS),
        COMPLETION: completion.write(folder, COMPLETION),
    }


def basket_neighbours(
    baskets: Baskets,
    catalogue: Catalogue,
    settings: BoughtTogetherSettings,
    work: PartitionWork = IN_THIS_PROCESS,
) -> ItemLists:
    """The best in-stock neighbours of each item 1…N; row 0 is empty."""
    size = catalogue.size
    columns = {
        **{name: getattr(baskets, name) for name in ("basket", "item", "user", "begin")},
        "discount": _discount(baskets, catalogue, settings),
        "category": np.asarray(catalogue.category),
    }
    parts = work.over_ranges("bought_together", neighbours_of_range, baskets.load(size), settings, columns)
    return ItemLists.of_columns(joined(parts))


def neighbours_of_range(items: Range, settings: BoughtTogetherSettings, columns: Columns) -> Columns:
    """The best neighbours of the items of a range, as columns of lists."""
    baskets = Baskets(*(columns[name] for name in ("basket", "item", "user", "begin")))
    category, size = columns["category"], len(columns["category"]) - 1
    strength = _strength(columns["discount"], category, category, settings)
    most = settings.neighbours
    return strongest_partners(baskets, size, settings.pairs_per_block, most, strength, within=items).columns()


def category_neighbours(
    baskets: Baskets, catalogue: Catalogue, settings: BoughtTogetherSettings
) -> ItemLists:
    """The best in-stock neighbours of each category 1…count, for `category_baskets` baskets of it.

    Row 0 is empty, and all are where that is 0.
    """
    categories = catalogue.category_count
    discount = _discount(baskets, catalogue, settings)
    strength = _strength(discount, catalogue.category, np.arange(categories + 1), settings)
    most = settings.category_items
    found = category_partners(
        baskets, catalogue.category, categories, settings.pairs_per_block, most, strength
    )
    scores = settings.category_baskets * found.strength
    counted = scores > 0
    return ranked_lists(found.row[counted], found.item[counted], scores[counted], categories + 1, most)


def _discount(
    baskets: Baskets, catalogue: Catalogue, settings: BoughtTogetherSettings
) -> NDArray[np.float64]:
    """Of each item 0…N as a neighbour; 0 where it is not in stock."""
    discount = popularity_discount(baskets.counts(catalogue.size), settings.popularity_exponent)
    discount[~catalogue.in_stock] = 0
    return discount


def _strength(
    discount: NDArray[np.float64],
    category_of_item: NDArray[np.integer],
    category_of_row: NDArray[np.integer],
    settings: BoughtTogetherSettings,
) -> Callable[[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]], NDArray[np.float64]]:
    def strength(
        row: NDArray[np.int64], item: NDArray[np.int32], together: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        category = category_of_item[item]
        same_category = (category_of_row[row] == category) & (category > 0)
        return np.asarray(together * discount[item] * (1 + settings.same_category_boost * same_category))

    return strength
