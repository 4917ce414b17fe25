"""Items nearest to vectors of a shopper that a model on Triton answers: files, search, and what caused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from features.history import HISTORY_LENGTH, history_inputs
from pipeline.stages import EMPTY_RECALL, DependencyError
from recall.channel import BuildSource, Recalled, Services
from recall.merge import merge_by_item
from recall.query import Query
from recall.vector_index import (
    VectorIndexSettings,
    open_searched,
    open_vectors,
    search_parameters,
    write_index,
    write_vectors,
)
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

VECTORS, INDEXED = "vectors", "indexed_items"
INDEX = "items.faiss"


@dataclass(frozen=True)
class InterestFiles:
    """The files of a channel: item vectors float32[N + 1, D], and an index of those that may be recalled.

    `indexed[r]` is the item of the index's row r. `from_index`: whether the vectors of indexed items can be
    read from the index.
    """

    index: Any
    indexed: NDArray[np.int32]
    vectors: NDArray[np.float32]
    from_index: bool = False

    @classmethod
    def open(cls, folder: Path, catalogue: Catalogue, settings: VectorIndexSettings) -> InterestFiles:
        """Memory-map the files of `write`; raises SnapshotError where they are torn or do not fit."""
        vectors = open_vectors(folder, VECTORS, catalogue.size + 1)
        indexed = load_column(folder, INDEXED, np.dtype(np.int32))
        index = open_searched(folder / INDEX, settings)
        if index.ntotal != len(indexed) or index.d != vectors.shape[1]:
            raise SnapshotError(
                folder,
                INDEX,
                f"holds {index.ntotal} × {index.d}, the other files {len(indexed)} × {vectors.shape[1]}",
                "build the snapshot again",
            )
        return cls(index, indexed, vectors, _readable(index, indexed))

    def vectors_of(self, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n, D], the vectors of items 0…N.

        Those of indexed items come from the index, whose pages are in memory since it is searched: of the
        table, which holds the same numbers, pages are mapped only for other items.
        """
        if not self.from_index:
            return self.vectors[items]
        rows = np.minimum(np.searchsorted(self.indexed, items), len(self.indexed) - 1)
        inside = self.indexed[rows] == items
        found = np.empty((len(items), self.index.d), np.float32)
        found[inside] = self.index.reconstruct_batch(rows[inside])
        if not inside.all():
            found[~inside] = self.vectors[items[~inside]]
        return found

    @staticmethod
    def write(
        source: BuildSource, folder: Path, model: str, channel: str, settings: VectorIndexSettings
    ) -> dict[str, int]:
        """Write the vectors of `model`, the index of those in stock, its row → item; returns the counts.

        Items without a vector (all zero) stay outside the index. Raises ValueError where there are no vectors
        or they do not fit the catalogue.
        """
        catalogue = source.catalogue
        vectors = source.item_vectors(model, f"the channel {channel}")
        indexed = np.flatnonzero(np.any(vectors != 0, axis=1) & catalogue.in_stock)
        indexed = indexed[indexed > 0].astype(np.int32)
        write_vectors(folder, VECTORS, vectors)
        save_column(folder, INDEXED, indexed)
        write_index(folder / INDEX, vectors[indexed], settings, source.seed)
        return {"vectors": len(vectors) - 1, "indexed": len(indexed), "dimensions": vectors.shape[1]}


def _readable(index: Any, indexed: NDArray[np.int32]) -> bool:
    """Whether rows can be read from the index, which is prepared for it, and found by the items' numbers.

    An index on a GPU cannot be read.
    """
    if not len(indexed) or np.any(indexed[1:] <= indexed[:-1]):
        return False
    if isinstance(index, faiss.IndexIVF):
        index.make_direct_map()
        return True
    return isinstance(index, (faiss.IndexFlat, faiss.IndexHNSW))


class InterestSearch:
    """Calls a model for the shopper's interests, and searches the index for each one's neighbours.

    The model takes inputs of `features.history.history_inputs` and answers `interests`, float32[1, K, D].
    """

    def __init__(
        self,
        files: InterestFiles,
        services: Services,
        model: str,
        inputs: tuple[str, ...],
        settings: VectorIndexSettings,
    ) -> None:
        """`model` is called with the named inputs."""
        self._index, self._indexed, self._vectors_of = files.index, files.indexed, files.vectors_of
        self._model, self._call = model, services.model(model)
        self._inputs = inputs
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items nearest to any interest, by inner product; empty without a history or an interest.

        The reported trigger is the item of the encoded history that lies nearest to the interest which
        recalled. What the call of the model raises is passed on; DependencyError too where it answers
        interests of another shape.
        """
        if len(query.history_items) == 0 or len(self._indexed) == 0 or k <= 0:
            return EMPTY_RECALL
        interests = await self._interests(query)
        interests = np.ascontiguousarray(interests[np.any(interests != 0, axis=1)], np.float32)
        if len(interests) == 0:
            return EMPTY_RECALL
        near = min(k, len(self._indexed))
        # OpenMP keeps its number of threads per thread, so it is set in the one that searches: requests
        # already run side by side, and spinning helpers would triple the cost of a search.
        faiss.omp_set_num_threads(self._settings.threads)
        scores, rows = self._index.search(
            interests, near, params=search_parameters(self._index, near, self._settings)
        )
        # faiss fills up with −1 where it found fewer.
        found = rows >= 0
        interest = np.nonzero(found)[0].astype(np.int32)
        merged = merge_by_item(self._indexed[rows[found]], scores[found], interest, k, "max")
        return merged._replace(triggers=self._nearest_history(query, interests)[merged.triggers])

    async def _interests(self, query: Query) -> NDArray[np.float32]:
        """float32[K, D], in the space of the item vectors; a row may be all zero."""
        encoded: Mapping[str, NDArray[Any]] = history_inputs(
            query.history_items, query.history_events, query.history_ts, query.now
        )
        inputs = {name: encoded[name] for name in self._inputs}
        interests: NDArray[np.float32] = (await self._call(query, inputs))["interests"]
        if interests.ndim != 3 or len(interests) != 1 or interests.shape[2] != self._index.d:
            raise DependencyError(
                f"{self._model} answered interests of shape {list(interests.shape)}, [1, K,"
                f" {self._index.d}] was expected"
            )
        own: NDArray[np.float32] = interests[0]
        return own

    def _nearest_history(self, query: Query, interests: NDArray[np.float32]) -> NDArray[np.int32]:
        """The history item nearest to each interest, int32[K]; 0 where none has a vector."""
        items = query.history_items[:HISTORY_LENGTH]
        vectors = self._vectors_of(items)
        embedded = np.any(vectors != 0, axis=1)
        if not embedded.any():
            return np.zeros(len(interests), np.int32)
        nearest: NDArray[np.int32] = items[embedded][np.argmax(interests @ vectors[embedded].T, axis=1)]
        return nearest
