"""The files of the main part of the index of pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from recall.pictures.compact import lists_for, train_compact
from recall.pictures.settings import SimilarLookSettings
from recall.vector_index import make_index, open_index, open_vectors, save_index, write_vectors
from snapshot.manifest import SnapshotError

_INDEX, _EMPTY, _VECTORS = "pictures.faiss", "empty.faiss", "vectors"
_BLOCK = 65_536


@dataclass(frozen=True)
class IndexFiles:
    """What was opened.

    Attributes:
        index: of P vectors.
        vectors: float32[P, D]; None where the index gives them back itself.
        empty: makes a trained index of the same kind without vectors.
    """

    index: Any
    vectors: NDArray[np.float32] | None
    empty: Callable[[], Any]


def write_index_files(
    folder: Path, vectors: NDArray[np.float32], settings: SimilarLookSettings, seed: int
) -> None:
    """Writes the index of float32[P, D], which may be mapped, into `folder`."""
    kind = _kind(len(vectors), settings)
    if kind != "compact":
        write_vectors(folder, _VECTORS, vectors)
        index = make_index(np.asarray(vectors), settings.model_copy(update={"index": kind}), seed)
        save_index(folder / _INDEX, index)
        if kind == "ivf":
            index.reset()
            save_index(folder / _EMPTY, index)
        return
    count = len(vectors)
    drawn = np.random.default_rng(seed).permutation(count)[: sample_size(count, settings)]
    index = train_compact(
        np.ascontiguousarray(vectors[np.sort(drawn)], np.float32), count, settings.compact, seed
    )
    save_index(folder / _EMPTY, index)
    for start in range(0, count, _BLOCK):
        index.add(np.ascontiguousarray(vectors[start : start + _BLOCK], np.float32))
    save_index(folder / _INDEX, index)


def sample_size(count: int, settings: SimilarLookSettings) -> int:
    """Vectors, of `count`, by which a compact index is trained."""
    return min(count, max(10_000, settings.compact.training * lists_for(count, settings.compact)))


def open_index_files(folder: Path, rows: int, dimensions: int) -> IndexFiles:
    """Maps what was written of `rows` vectors.

    Raises SnapshotError where a file is missing, torn or of another number of vectors or of dimensions.
    """
    index = open_index(folder / _INDEX)
    compact = isinstance(index, faiss.IndexPreTransform)
    vectors = None if compact else open_vectors(folder, _VECTORS, max(rows, 1))
    shape = (rows, index.d) if vectors is None else vectors.shape
    if (index.ntotal, index.d) != shape or index.d != dimensions:
        raise SnapshotError(
            folder,
            _INDEX,
            f"holds {index.ntotal} × {index.d}, the other files {shape[0]} × {shape[1]} "
            f"in a space of {dimensions}",
            "build the snapshot again",
        )
    if not compact and not isinstance(index, faiss.IndexIVF):
        return IndexFiles(index, vectors, lambda: faiss.IndexFlatIP(dimensions))
    empty = open_index(folder / _EMPTY, mapped=False)
    if (empty.ntotal, empty.d) != (0, dimensions) or type(empty) is not type(index):
        raise SnapshotError(
            folder, _EMPTY, f"holds {empty.ntotal} × {empty.d}, 0 × {dimensions} expected", "build again"
        )
    return IndexFiles(index, vectors, lambda: faiss.clone_index(empty))


def _kind(count: int, settings: SimilarLookSettings) -> str:
    if settings.index != "auto":
        return settings.index
    if count < settings.flat_below:
        return "flat"
    return "ivf" if count < settings.compact_from else "compact"
