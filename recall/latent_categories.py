"""Categories that the shopper's interests are near to and that the shopper was not in lately.

MIND's interests u (`recall.mind`) are compared with the centres H_c of categories, the means of their items'
vectors, each weighted by how hot it is. Of the categories that the shopper did nothing in for `recent_days`
the nearest to each interest are taken, and within each of these the nearest items to the interest:

    score(i) = ⟨u, H_i⟩ + popularity · heat(i) / max heat

`category_hot` recalls what the shopper knows; this recalls next to it.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.reference_time import reference_time
from pipeline.stages import EMPTY_RECALL
from recall.category_rows import CategoryRows
from recall.channel import (
    BuildSource,
    ChannelKind,
    NothingToRecall,
    OptionalChannelSettings,
    Recalled,
    Services,
)
from recall.interest_search import INDEX, INDEXED, VECTORS, InterestFiles, InterestSearch
from recall.merge import merge_by_item, top_positions
from recall.mind import INPUTS, MODEL
from recall.query import Query
from recall.unit_rows import unit_rows
from recall.vector_index import VectorIndexSettings, open_vectors, write_index, write_vectors
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.event_codes import IMPRESSION

NAME = "latent_categories"
CENTRES, HEAT = "centres", "heat"
FLAT = VectorIndexSettings(index="flat")
"""Every vector of the category is compared: `recall.category_rows`."""
_DAY_S = 86_400


class LatentCategoriesSettings(OptionalChannelSettings):
    """Items of categories near to the shopper's interests that the shopper was not in lately."""

    recent_days: float = Field(
        default=90.0, gt=0, description="Days within which a category that the shopper was in is left out."
    )
    categories_per_interest: int = Field(
        default=3, ge=1, le=50, description="Nearest other categories of each interest."
    )
    categories: int = Field(default=8, ge=1, le=200, description="Nearest of these that are used.")
    items_per_category: int = Field(default=50, ge=1, le=1_000, description="Nearest items of each.")
    popularity: float = Field(
        default=0.3, ge=0, le=10, description="Weight of how hot an item is, beside the likeness of -1 to 1."
    )
    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")


class LatentCategories(InterestSearch):
    """Searches the categories near to each interest of the shopper."""

    name = NAME

    def __init__(
        self,
        files: InterestFiles,
        centres: NDArray[np.float32],
        heat: NDArray[np.float32],
        catalogue: Catalogue,
        services: Services,
        settings: LatentCategoriesSettings,
    ) -> None:
        """`centres`: float32[C + 1, D] by category, zero where there is none; `heat`: float32[N + 1], 0…1.

        The rows of the index are sorted by category.
        """
        super().__init__(files, services, MODEL, INPUTS, FLAT)
        self._category = catalogue.category
        self._rows = CategoryRows.over(files.index, self._category[files.indexed], catalogue.category_count)
        self._centres, self._heat = centres, heat
        self._listed = (self._rows.sizes() > 0) & np.any(centres != 0, axis=1)
        self._listed[0] = False
        self._chosen = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k best items of the nearest categories; triggers as those of `mind`.

        Empty without a history, an interest, or another category. What the call of the model raises is passed
        on.
        """
        if not query.history_items.size or not self._listed.any() or k <= 0:
            return EMPTY_RECALL
        interests = await self._interests(query)
        interests = np.ascontiguousarray(interests[np.any(interests != 0, axis=1)], np.float32)
        pairs = self._nearest_categories(interests, query) if len(interests) else []
        if not pairs:
            return EMPTY_RECALL
        # As in `recall.interest_search`: in the thread that searches.
        faiss.omp_set_num_threads(1)
        items, scores, causes = [], [], []
        for interest, category in pairs:
            likeness, rows = self._rows.search(
                interests[interest], category, min(k, self._chosen.items_per_category)
            )
            found = self._indexed[rows]
            items.append(found)
            scores.append(likeness + np.float32(self._chosen.popularity) * self._heat[found])
            causes.append(np.full(found.size, interest, np.int32))
        merged = merge_by_item(
            np.concatenate(items), np.concatenate(scores).astype(np.float32), np.concatenate(causes), k, "max"
        )
        return merged._replace(triggers=self._nearest_history(query, interests)[merged.triggers])

    def _nearest_categories(self, interests: NDArray[np.float32], query: Query) -> list[tuple[int, int]]:
        """Pairs of interest and category, nearest first; a category comes with its nearest interest alone."""
        open_to = self._listed.copy()
        open_to[self._recent(query)] = False
        categories = np.flatnonzero(open_to).astype(np.int32)
        if not categories.size:
            return []
        likeness = interests @ self._centres[categories].T
        best: dict[int, tuple[float, int]] = {}
        for interest, row in enumerate(likeness):
            for at in top_positions(row, categories, self._chosen.categories_per_interest).tolist():
                category = int(categories[at])
                best[category] = max(best.get(category, (-np.inf, 0)), (float(row[at]), -interest))
        order = sorted(best, key=lambda category: (-best[category][0], category))
        return [(-best[category][1], category) for category in order[: self._chosen.categories]]

    def _recent(self, query: Query) -> NDArray[np.int32]:
        """Categories that the shopper did something in lately."""
        ts = query.history_ts
        now = reference_time(query.now, ts.max(initial=0))
        recent = (query.history_events != IMPRESSION) & (ts >= now - int(self._chosen.recent_days * _DAY_S))
        return np.unique(self._category[query.history_items[recent]])


def build(source: BuildSource, folder: Path, settings: LatentCategoriesSettings) -> dict[str, int]:
    """Write vectors, their index by category, categories' centres and items' heat; returns the counts.

    Raises NothingToRecall where items have no categories, and ValueError where there are no vectors of MIND.
    """
    from recall.interactions import interactions_of

    catalogue = source.catalogue
    vectors = source.item_vectors(MODEL, f"the channel {NAME}")
    category = catalogue.category
    indexed = np.flatnonzero(np.any(vectors != 0, axis=1) & catalogue.in_stock & (category > 0))
    if not indexed.size:
        raise NothingToRecall("no item in stock has a category and a vector")
    indexed = indexed[np.argsort(category[indexed], kind="stable")].astype(np.int32)
    taken = interactions_of(source)
    decayed = np.bincount(
        taken.item, taken.decayed_scores(source.now, settings.half_life_days), catalogue.size + 1
    )
    heat = np.log1p(decayed)
    heat /= max(heat.max(), 1e-9)
    centres = np.zeros((catalogue.category_count + 1, vectors.shape[1]), np.float64)
    # What nobody took counts a little, so that a category of new items has a centre too.
    np.add.at(centres, category[indexed], vectors[indexed] * (heat[indexed] + 0.01)[:, None])
    write_vectors(folder, VECTORS, vectors)
    write_vectors(folder, CENTRES, unit_rows(centres).astype(np.float32))
    save_column(folder, INDEXED, indexed)
    save_column(folder, HEAT, heat.astype(np.float32))
    write_index(folder / INDEX, vectors[indexed], FLAT, source.seed)
    return {"indexed": len(indexed), "categories": int(np.count_nonzero(centres.any(axis=1)))}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: LatentCategoriesSettings
) -> LatentCategories:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    files = InterestFiles.open(folder, catalogue, FLAT)
    centres = open_vectors(folder, CENTRES, catalogue.category_count + 1)
    heat = load_column(folder, HEAT, np.dtype(np.float32), catalogue.size + 1)
    return LatentCategories(files, centres, heat, catalogue, services, settings)


CHANNEL = ChannelKind(settings=LatentCategoriesSettings, build=build, open=open_channel, models=(MODEL,))
