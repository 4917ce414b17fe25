"""MIND: items nearest to each of the shopper's interests (Li et al., CIKM 2019), merged by the best match."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from features.history import HISTORY_LENGTH, history_inputs
from pipeline.stages import EMPTY_RECALL, DependencyError
from recall.channel import BuildSource, ChannelKind, Recalled, Services
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

NAME = "mind"
MODEL = "mind"
VECTORS, INDEXED = "vectors", "indexed_items"
INDEX = "items.faiss"


class MindChannelSettings(VectorIndexSettings):
    """Nearest items to each of the shopper's interests."""


class Mind:
    """Calls the model for the shopper's interests, and searches the index for each one's neighbours."""

    name = NAME

    def __init__(
        self,
        index: Any,
        indexed: NDArray[np.int32],
        vectors: NDArray[np.float32],
        services: Services,
        settings: MindChannelSettings,
    ) -> None:
        """`indexed[r]` is the item of the index's row r; `vectors` are float32[N + 1, D]."""
        self._index = index
        self._indexed = indexed
        self._vectors = vectors
        self._model = services.model(MODEL)
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
        """float32[K, D], L2-normalised, in the space of the item vectors; a row may be all zero."""
        inputs = history_inputs(query.history_items, query.history_events, query.history_ts, query.now)
        interests: NDArray[np.float32] = (await self._model(query, inputs))["interests"]
        if interests.ndim != 3 or len(interests) != 1 or interests.shape[2] != self._vectors.shape[1]:
            raise DependencyError(
                f"{MODEL} answered interests of shape {list(interests.shape)}, [1, K,"
                f" {self._vectors.shape[1]}] was expected"
            )
        own: NDArray[np.float32] = interests[0]
        return own

    def _nearest_history(self, query: Query, interests: NDArray[np.float32]) -> NDArray[np.int32]:
        """The history item nearest to each interest, int32[K]; 0 where none has a vector."""
        items = query.history_items[:HISTORY_LENGTH]
        vectors = self._vectors[items]
        embedded = np.any(vectors != 0, axis=1)
        if not embedded.any():
            return np.zeros(len(interests), np.int32)
        nearest: NDArray[np.int32] = items[embedded][np.argmax(interests @ vectors[embedded].T, axis=1)]
        return nearest


def build(source: BuildSource, folder: Path, settings: MindChannelSettings) -> dict[str, int]:
    """Write the item vectors, the index over those in stock, and the index's row → item; returns the counts.

    Items without a vector (all zero) stay outside the index. Raises ValueError where there are no vectors or
    they do not fit the catalogue.
    """
    catalogue = source.catalogue
    vectors = source.item_vectors(MODEL, f"the channel {NAME}")
    indexed = np.flatnonzero(np.any(vectors != 0, axis=1) & catalogue.in_stock)
    indexed = indexed[indexed > 0].astype(np.int32)
    write_vectors(folder, VECTORS, vectors)
    save_column(folder, INDEXED, indexed)
    write_index(folder / INDEX, vectors[indexed], settings, source.seed)
    return {"vectors": len(vectors) - 1, "indexed": len(indexed), "dimensions": vectors.shape[1]}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: MindChannelSettings
) -> Mind:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
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
    return Mind(index, indexed, vectors, services, settings)


CHANNEL = ChannelKind(settings=MindChannelSettings, build=build, open=open_channel, models=(MODEL,))
