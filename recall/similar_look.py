"""Similar_look: items whose pictures look like those of the triggers, also items that nobody touched yet.

Pictures are compared by the cosine of their vectors (`recall.picture_space`). The photo search reads the same
files: `SimilarLook.search` takes vectors of pictures that are no item's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL, DependencyError
from recall.channel import BuildSource, ChannelKind, NothingToRecall, Recalled, Services
from recall.picture_space import PictureSpace
from recall.query import Query
from recall.similar_look_settings import SimilarLookSettings
from recall.vector_index import open_index, open_vectors, search_parameters, write_index, write_vectors
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

NAME = "similar_look"
_VECTORS, _ITEMS = "vectors", "picture_items"
_INDEX = "pictures.faiss"
_PICTURES_PER_ITEM = 4
"""Pictures asked of the index for every item wanted, since several may be one item's."""


class SimilarLook:
    """Searches the pictures of items."""

    name = NAME

    def __init__(
        self,
        index: Any,
        items: NDArray[np.int32],
        vectors: NDArray[np.float32],
        space: PictureSpace,
        catalogue: Catalogue,
        settings: SimilarLookSettings,
    ) -> None:
        """`items` int32[P] and `vectors` float32[P, D]: row r of the index is a picture of items[r]."""
        self.space = space
        self._index, self._items, self._vectors = index, items, vectors
        self._settings = settings
        self._category = catalogue.category
        self._in_stock = catalogue.in_stock
        self._first = np.full(catalogue.size + 1, -1, np.int64)
        # The first of an item's pictures is written last, so that it stays.
        self._first[items[::-1]] = np.arange(len(items))[::-1]
        categories = catalogue.category[items]
        self._by_category = np.argsort(categories, kind="stable")
        self._ends = np.searchsorted(
            categories[self._by_category], np.arange(catalogue.code_count("category") + 2)
        )

    @property
    def pictures(self) -> int:
        """P."""
        return len(self._items)

    def vectors_of(self, items: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Those of `items` that have a picture, and the vectors float32[m, D] of their first ones."""
        known = items[self._first[items] >= 0]
        return known, self._vectors[self._first[known]]

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        among: NDArray[np.int64] | None = None,
        minimum: float = -1.0,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The items in stock whose pictures are most alike.

        Args:
            vector: float32[D], of length 1.
            k: items at most.
            among: int64[r], rows of the index that are compared, one by one; None = all, by the index.
            minimum: cosine below which an item is left out.

        Returns:
            Distinct items int32[m] and cosines float32[m], best first.
        """
        if k <= 0 or not len(self._items):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        if among is None:
            rows, likeness = self._nearest(vector, k)
        else:
            rows, likeness = among, self._vectors[among] @ vector
        kept = self._in_stock[self._items[rows]] & (likeness >= minimum)
        rows, likeness = rows[kept], likeness[kept]
        # Equal pictures are ordered by their items, whatever the order in which the index found them.
        order = np.lexsort((self._items[rows], -likeness))
        found = self._items[rows][order]
        _, first = np.unique(found, return_index=True)
        first = np.sort(first)[:k]
        return found[first], likeness[order][first].astype(np.float32)

    def rows_of_category(self, category: int) -> NDArray[np.int64]:
        """Rows of the index whose items are of a category, by its code."""
        return self._by_category[self._ends[category] : self._ends[category + 1]]

    def vector_of(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[D] of the features float32[F] of a picture.

        Raises DependencyError where this snapshot was built with another encoder.
        """
        if len(features) != self.space.features:
            raise DependencyError(
                f"the snapshot's pictures have {self.space.features} features, the encoder gave "
                f"{len(features)}; build the snapshot again"
            )
        return np.asarray(self.space.project(features[None])[0])

    def _nearest(self, vector: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        near = min(_PICTURES_PER_ITEM * k, len(self._items))
        faiss.omp_set_num_threads(self._settings.threads)
        likeness, rows = self._index.search(
            vector[None], near, params=search_parameters(self._index, near, self._settings)
        )
        # faiss fills up with −1 where it found fewer.
        found = rows[0] >= 0
        return rows[0][found], likeness[0][found]

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items most alike to a trigger's first picture, by cosine × the trigger's weight.

        The triggers themselves are left out. Empty where no trigger has a picture. Where the query has a
        look, the items most like it, by cosine; of those that a must allows, every one is compared.
        """
        if query.look is not None:
            return self._like(query.look, query, k)
        heaviest = np.argsort(-query.trigger_weights, kind="stable")
        triggers, vectors = self.vectors_of(query.triggers[heaviest])
        triggers, vectors = triggers[: self._settings.triggers], vectors[: self._settings.triggers]
        if not len(triggers) or k <= 0:
            return EMPTY_RECALL
        weight_of = dict(zip(query.triggers.tolist(), query.trigger_weights.tolist(), strict=True))
        parts = []
        for trigger, vector in zip(triggers.tolist(), vectors, strict=True):
            category = self._category[trigger]
            within = self._settings.within == "category" and category > 0
            items, likeness = self.search(
                vector,
                k + len(query.triggers),
                self.rows_of_category(category) if within else None,
                self._settings.minimum_likeness,
            )
            parts.append((items, likeness * np.float32(weight_of[trigger]), np.full(len(items), trigger)))
        items, scores, causes = (np.concatenate(column) for column in zip(*parts, strict=True))
        kept = ~np.isin(items, query.triggers)
        items, scores, causes = items[kept], scores[kept], causes[kept]
        order = np.lexsort((items, -scores))
        _, first = np.unique(items[order], return_index=True)
        best = order[np.sort(first)][:k]
        return Recalled(
            items[best].astype(np.int32), scores[best].astype(np.float32), causes[best].astype(np.int32)
        )

    def _like(self, look: NDArray[np.float32], query: Query, k: int) -> Recalled:
        eligible = query.wish.eligible
        among = None if eligible is None else np.flatnonzero(eligible[self._items])
        items, likeness = self.search(self.vector_of(look), k, among)
        return Recalled(items, likeness, np.zeros(len(items), np.int32))


def build(source: BuildSource, folder: Path, settings: SimilarLookSettings) -> dict[str, int]:
    """Write the pictures of items in stock and their index; NothingToRecall where the shop has none."""
    pictures = source.pictures
    if pictures is None:
        raise NothingToRecall(source.no_pictures)
    sold = source.catalogue.in_stock[pictures.items]
    if not sold.any():
        raise NothingToRecall("no item in stock has a usable picture")
    # Items out of stock are not found, but others that look like them are.
    write_vectors(folder, _VECTORS, pictures.vectors)
    save_column(folder, _ITEMS, pictures.items)
    pictures.space.save(folder)
    write_index(folder / _INDEX, np.asarray(pictures.vectors), settings, source.seed)
    return {
        "pictures": len(pictures.items),
        "items": len(np.unique(pictures.items)),
        "dimensions": pictures.space.dimensions,
    }


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: SimilarLookSettings
) -> SimilarLook:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    space = PictureSpace.open(folder)
    items = load_column(folder, _ITEMS, np.dtype(np.int32))
    vectors = open_vectors(folder, _VECTORS, max(len(items), 1))
    index = open_index(folder / _INDEX)
    if not len(items) or items.min() < 1 or items.max() > catalogue.size:
        raise SnapshotError(
            folder,
            f"{_ITEMS}.npy",
            "names items that the catalogue does not have",
            "build the snapshot again",
        )
    if (index.ntotal, index.d) != vectors.shape or index.d != space.dimensions:
        raise SnapshotError(
            folder,
            _INDEX,
            f"holds {index.ntotal} × {index.d}, the other files {vectors.shape[0]} × {vectors.shape[1]} "
            f"in a space of {space.dimensions}",
            "build the snapshot again",
        )
    return SimilarLook(index, items, vectors, space, catalogue, settings)


CHANNEL = ChannelKind(settings=SimilarLookSettings, build=build, open=open_channel, optional=True)
