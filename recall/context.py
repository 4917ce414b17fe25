"""Items that fit what the shopper is looking for: search query, category, brand and prices of the request.

score(i) = Σ weight of each thing asked for · how well i fits it + popularity · h(i) / max h

h is log(1 + the decayed behaviour score of an item over all shoppers). How well an item fits a query is
`recall.search.text_index`'s matter.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, ChannelSettings, Recalled, Services
from recall.lists import ItemLists
from recall.merge import top_positions
from recall.query import Query
from recall.search.asked import Facet
from recall.search.context_index import ContextIndex
from recall.search.names import GroupNames
from recall.search.text_index import TextIndex
from recall.search.wish import Wish
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column

NAME = "context"
MOST_FOUND = 5_000
"""Items of a search query that are looked at, its best."""
HEAT, CATEGORIES, BRANDS, HOTTEST = "heat", "categories", "brands", "hottest"


class ContextSettings(ChannelSettings):
    """Items that fit the search query, category, brand and prices of the request."""

    words: dict[str, int] = Field(
        default={"title": 2, "category": 2, "standard_category": 1, "brand": 1},
        description="How often a word counts, by the item column (a text or a group) that holds it; 0 = not.",
    )
    other_texts: int = Field(
        default=1, ge=0, le=100, description="The same for every registered text that `words` does not name."
    )
    k1: float = Field(default=1.2, ge=0, description="BM25: the larger, the more repeats of a word count.")
    b: float = Field(
        default=0.5, ge=0, le=1, description="BM25: the larger, the less a word in a long text counts."
    )
    category_separator: str = Field(
        default=">", max_length=8, description="Between the parts of a category's path; empty = no paths."
    )
    several_separator: str = Field(
        default="|",
        max_length=8,
        description="Between the categories of an item that has several; empty = none has.",
    )
    items_per_group: int = Field(
        default=1_000, ge=1, le=100_000, description="Hottest items kept per category, brand, and of all."
    )
    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")
    query_weight: float = Field(default=2.0, ge=0, description="Weight of the search query.")
    category_weight: float = Field(default=1.0, ge=0, description="Weight of the category.")
    brand_weight: float = Field(default=1.0, ge=0, description="Weight of the brand.")
    price_weight: float = Field(default=0.5, ge=0, description="Weight of the range of prices.")
    popularity: float = Field(default=0.5, ge=0, description="Weight of how hot an item is.")

    def weights(self) -> dict[Facet, float]:
        """Weight by what is asked for."""
        return {
            Facet.QUERY: self.query_weight,
            Facet.CATEGORY: self.category_weight,
            Facet.BRAND: self.brand_weight,
            Facet.PRICE: self.price_weight,
        }


class ContextChannel:
    """Recalls over the index and the lists of one snapshot."""

    name = NAME

    def __init__(
        self,
        index: ContextIndex,
        heat: NDArray[np.float32],
        lists: dict[str, ItemLists],
        settings: ContextSettings,
    ) -> None:
        """`heat`: float32[N + 1], 0…1; `lists`: items by category code, by brand code, and of all (row 0)."""
        self.index = index
        self._heat = heat
        self._lists = lists
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items that fit the query's wish best. No triggers; empty where there is no wish.

        With a must, only of the items that satisfy it.
        """
        wish = query.wish
        if not wish.says_anything:
            return EMPTY_RECALL
        items = self._pool(wish)
        items = items[self.index.catalogue.in_stock[items]]
        scores = self._settings.popularity * self._heat[items]
        weights = self._settings.weights()
        for facet, match in wish.matches(self.index.catalogue, items).items():
            scores = scores + np.float32(weights[facet]) * match
        best = top_positions(scores, items, k)
        return Recalled(items[best], scores[best].astype(np.float32), np.zeros(best.size, np.int32))

    def _pool(self, wish: Wish) -> NDArray[np.int32]:
        """Distinct items among which the best are sought, int32[m]."""
        if wish.eligible is not None:
            return np.flatnonzero(wish.eligible).astype(np.int32)
        parts = []
        if wish.text is not None:
            found = top_positions(wish.text.scores, wish.text.items, MOST_FOUND)
            parts.append(wish.text.items[found])
        if wish.categories is not None:
            parts.append(self._lists[CATEGORIES].gather(np.flatnonzero(wish.categories))[0])
            if wish.standard_categories is not None and wish.standard_categories.any():
                standard = self.index.catalogue.column("standard_category")
                parts.append(np.flatnonzero(wish.standard_categories[standard]).astype(np.int32))
        if wish.brands is not None:
            parts.append(self._lists[BRANDS].gather(np.flatnonzero(wish.brands))[0])
        if not parts:
            # Prices alone: of what is hot anyway.
            hottest = self._lists[HOTTEST].items
            fits = wish.matches(self.index.catalogue, hottest)[Facet.PRICE] > 0
            return np.asarray(hottest[fits])
        return np.unique(np.concatenate(parts)) if len(parts) > 1 else parts[0]


def build(source: BuildSource, folder: Path, settings: ContextSettings) -> dict[str, int]:
    """Write the index of words, every item's heat and the hottest of each group into `folder`."""
    from recall.interactions import interactions_of
    from recall.lists import ranked_lists
    from recall.search.text_index_build import build_index

    catalogue = source.catalogue
    taken = interactions_of(source)
    decayed = taken.heat(source.now, settings.half_life_days, catalogue.size + 1)
    # Below any that was taken, what was taken by more people before; then the newest order of the catalogue.
    heat = np.log1p(decayed) + 1e-6 * catalogue.popularity
    heat = (heat / max(heat.max(), 1e-9)).astype(np.float32)
    save_column(folder, HEAT, heat)
    items = np.flatnonzero(catalogue.in_stock)
    written = build_index(catalogue, folder, settings.words, settings.other_texts, settings.k1, settings.b)
    for name, codes, count in (
        (CATEGORIES, catalogue.category, catalogue.category_count),
        (BRANDS, catalogue.brand, catalogue.code_count("brand")),
        (HOTTEST, np.zeros(catalogue.size + 1, np.int32), 0),
    ):
        listed = items if name == HOTTEST else items[codes[items] > 0]
        lists = ranked_lists(codes[listed], listed, heat[listed], count + 1, settings.items_per_group)
        written[name] = lists.write(folder, name)
    return written


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: ContextSettings
) -> ContextChannel:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    index = ContextIndex(
        catalogue,
        TextIndex.open(folder),
        GroupNames(catalogue, "category", settings.category_separator, settings.several_separator),
        GroupNames(catalogue, "standard_category"),
        GroupNames(catalogue, "brand"),
    )
    lists = {
        CATEGORIES: ItemLists.open(folder, CATEGORIES, catalogue.category_count + 1),
        BRANDS: ItemLists.open(folder, BRANDS, catalogue.code_count("brand") + 1),
        HOTTEST: ItemLists.open(folder, HOTTEST, 1),
    }
    heat = load_column(folder, HEAT, np.dtype(np.float32), catalogue.size + 1)
    return ContextChannel(index, heat, lists, settings)


CHANNEL = ChannelKind(settings=ContextSettings, build=build, open=open_channel, waits=False)
