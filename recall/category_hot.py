"""Hot items of the categories the shopper was in lately: reaches items that nobody shares with the shopper.

score(i) = W(c) · heat(i) / Σ_c heat · (heat(i) / max heat)^γ

W(c) is the weight of the query's triggers of i's category c, so the first two factors are how likely the
shopper is to take something of c times how likely i is among what is taken of c; the third leans towards
items that are hot in the whole shop. heat is the decayed behaviour score over all shoppers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, ChannelSettings, Recalled, Services
from recall.lists import ItemLists
from recall.merge import top_positions
from recall.query import Query
from snapshot.catalogue import Catalogue

NAME = "category_hot"
LISTS = "categories"


class CategoryHotSettings(ChannelSettings):
    """Hottest items of the categories the shopper was in lately."""

    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")
    items_per_category: int = Field(default=200, ge=1, le=10_000, description="Items kept per category.")
    categories: int = Field(default=50, ge=1, description="The shopper's strongest categories that are used.")
    popularity_exponent: float = Field(
        default=1.0, ge=0, le=2, description="Power of an item's heat in the whole shop; 0 ignores it."
    )


class CategoryHot:
    """Weighs the categories by the query's triggers and merges their lists."""

    name = NAME

    def __init__(self, lists: ItemLists, catalogue: Catalogue, settings: CategoryHotSettings) -> None:
        """Lists by category code; row 0, the unknown category, is empty."""
        self._lists = lists
        self._category = catalogue.category
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k best of the strongest categories.

        The reported trigger is the heaviest one of the item's category. Empty without triggers.
        """
        order = np.argsort(-query.trigger_weights, kind="stable")
        triggers, weights = query.triggers[order], query.trigger_weights[order]
        category = self._category[triggers]
        categories, heaviest, member = np.unique(category, return_index=True, return_inverse=True)
        weight = np.bincount(member, weights=weights)
        strongest = np.argsort(-weight, kind="stable")[: self._settings.categories]
        items, shares, source = self._lists.gather(categories[strongest], limit=k)
        if len(items) == 0:
            return EMPTY_RECALL
        row = strongest[source]
        scores = (weight[row] * shares).astype(np.float32)
        best = top_positions(scores, items, k)
        return Recalled(items[best], scores[best], triggers[heaviest[row[best]]])


def build(source: BuildSource, folder: Path, settings: CategoryHotSettings) -> dict[str, int]:
    """Write the categories' lists into `folder`; returns how many entries they hold."""
    from recall.interactions import interactions_of
    from recall.lists import ranked_lists

    catalogue = source.catalogue
    taken = interactions_of(source)
    heat = taken.heat(source.now, settings.half_life_days, catalogue.size + 1)
    listed = np.flatnonzero((heat > 0) & catalogue.in_stock & (catalogue.category > 0))
    category = catalogue.category[listed]
    of_category = np.bincount(category, weights=heat[listed], minlength=catalogue.category_count + 1)
    share = heat[listed] / of_category[category]
    hotness = (heat[listed] / heat[listed].max(initial=0)) ** settings.popularity_exponent
    lists = ranked_lists(
        category, listed, share * hotness, catalogue.category_count + 1, settings.items_per_category
    )
    return {LISTS: lists.write(folder, LISTS)}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: CategoryHotSettings
) -> CategoryHot:
    """Memory-map the lists of `build`. Raises SnapshotError where they are torn or do not fit."""
    return CategoryHot(ItemLists.open(folder, LISTS, catalogue.category_count + 1), catalogue, settings)


CHANNEL = ChannelKind(settings=CategoryHotSettings, build=build, open=open_channel, waits=False)
