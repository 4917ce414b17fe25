"""Matrix_factors: items whose factors agree with the shopper's, who is folded in per request.

Implicit ALS (Hu, Koren and Volinsky, ICDM 2008): with item factors Y, float[N + 1, D], and the shopper's
weights w of the items taken, the shopper is

    u = (YᵀY + Σ α·w_i y_i y_iᵀ + λI)⁻¹ · Σ (1 + α·w_i) y_i

a solve of D × D, so that what a shopper did a second ago counts, and one whom no training saw has factors
too. The factors are made offline by the library `implicit` (`recall.matrix_factors_build`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.evidence import evidence_of
from recall.matrix_factors_settings import MatrixFactorsSettings
from recall.query import Query
from recall.vector_index import (
    open_searched,
    open_vectors,
    search_parameters,
    write_index,
    write_vectors,
)
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

NAME = "matrix_factors"
VECTORS, INDEXED, GRAM = "vectors", "indexed_items", "gram"
INDEX = "items.faiss"


class MatrixFactors:
    """Solves for the shopper's factors, and searches the index for the items that agree most."""

    name = NAME

    def __init__(
        self,
        index: Any,
        indexed: NDArray[np.int32],
        vectors: NDArray[np.float32],
        gram: NDArray[np.float32],
        settings: MatrixFactorsSettings,
    ) -> None:
        """`indexed[r]` is the item of the index's row r; vectors float32[N + 1, D]; gram = YᵀY + λI."""
        self._index = index
        self._indexed = indexed
        self._vectors = vectors
        self._gram = gram.astype(np.float64)
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items by inner product; each names the shopper's item that lies nearest to it.

        Empty without a history that has factors.
        """
        items, weights = evidence_of(query, self._settings)
        known = np.any(self._vectors[items] != 0, axis=1)
        items, weights = items[known], weights[known]
        if not len(items) or not len(self._indexed) or k <= 0:
            return EMPTY_RECALL
        taken = self._vectors[items].astype(np.float64)
        counted = self._settings.confidence * weights.astype(np.float64)
        shopper = np.linalg.solve(self._gram + (taken.T * counted) @ taken, (1 + counted) @ taken)
        near = min(k, len(self._indexed))
        faiss.omp_set_num_threads(self._settings.threads)
        scores, rows = self._index.search(
            shopper.astype(np.float32)[None],
            near,
            params=search_parameters(self._index, near, self._settings),
        )
        # faiss fills up with −1 where it found fewer.
        found = rows[0] >= 0
        recalled = self._indexed[rows[0][found]]
        nearest = np.argmax(self._vectors[recalled] @ taken.T.astype(np.float32), axis=1)
        return Recalled(recalled, scores[0][found], items[nearest])


def build(source: BuildSource, folder: Path, settings: MatrixFactorsSettings) -> dict[str, int]:
    """Write the item factors, their index and its row → item; returns the counts.

    Raises NothingToRecall where no shopper took two items, ValueError where `implicit` is not installed.
    """
    from recall.matrix_factors_build import item_factors

    vectors = item_factors(source, settings)
    indexed = np.flatnonzero(np.any(vectors != 0, axis=1) & source.catalogue.in_stock)
    indexed = indexed[indexed > 0].astype(np.int32)
    gram = vectors.astype(np.float64).T @ vectors + settings.regularisation * np.eye(vectors.shape[1])
    write_vectors(folder, VECTORS, vectors)
    save_column(folder, GRAM, gram.astype(np.float32).reshape(-1))
    save_column(folder, INDEXED, indexed)
    write_index(folder / INDEX, vectors[indexed], settings, source.seed)
    return {"vectors": len(vectors) - 1, "indexed": len(indexed), "dimensions": vectors.shape[1]}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: MatrixFactorsSettings
) -> MatrixFactors:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    vectors = open_vectors(folder, VECTORS, catalogue.size + 1)
    dimensions = vectors.shape[1]
    gram = load_column(folder, GRAM, np.dtype(np.float32), dimensions * dimensions)
    indexed = load_column(folder, INDEXED, np.dtype(np.int32))
    index = open_searched(folder / INDEX, settings)
    if index.ntotal != len(indexed) or index.d != dimensions:
        raise SnapshotError(
            folder,
            INDEX,
            f"holds {index.ntotal} × {index.d}, the other files {len(indexed)} × {dimensions}",
            "build the snapshot again",
        )
    return MatrixFactors(index, indexed, vectors, gram.reshape(dimensions, dimensions), settings)


CHANNEL = ChannelKind(settings=MatrixFactorsSettings, build=build, open=open_channel, waits=False)
