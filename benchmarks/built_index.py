"""An index of seeded vectors with its queries and their exact neighbours, built once and measured often."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.synthetic_vectors import BLOCK, Difficulty, Recipe, hardness
from recall.pictures.compact import train_compact
from recall.pictures.files import sample_size
from recall.pictures.main_part import MainPart
from recall.pictures.settings import SimilarLookSettings
from recall.vector_index import open_index, save_index

NEAREST, QUERIES = 20, 1_000
"""Neighbours of each query, and queries."""
_QUERY_BLOCK = 10**6


@dataclass(frozen=True)
class Built:
    """An index in a folder, its queries and exact neighbours, and what the building took.

    Attributes:
        folder: where it lies.
        count: vectors.
        queries: float32[1,000, D].
        exact: int64[1,000, 20], the nearest rows, best first.
        train_s, add_s: seconds by the clock, and of CPU.
        difficulty: of the queries among all vectors, which is harder the more there are.
    """

    folder: Path
    count: int
    queries: NDArray[np.float32]
    exact: NDArray[np.int64]
    train_s: tuple[float, float]
    add_s: tuple[float, float]
    difficulty: Difficulty

    @property
    def path(self) -> Path:
        """Of the index."""
        return _index(self.folder, self.count)

    def main(self, settings: SimilarLookSettings) -> MainPart:
        """The mapped index; each vector is a picture of an item of its own."""
        items = np.arange(1, self.count + 1, dtype=np.int32)
        contents = np.stack((np.arange(self.count), np.zeros(self.count)), axis=1).astype(np.uint64)
        return MainPart(open_index(self.path), None, items, contents, np.ones(self.count, np.bool_), settings)

    def empty(self) -> Any:
        """A trained index of the same kind without vectors."""
        return open_index(_empty(self.folder, self.count), mapped=False)


class Stopwatch:
    """Seconds by the clock, and CPU seconds of the whole process, while it was running."""

    def __init__(self) -> None:
        """Stands."""
        self.total = (0.0, 0.0)

    def __enter__(self) -> None:
        """Goes on."""
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        """Stands again."""
        clock, cpu = time.perf_counter(), time.process_time()
        self.total = self.total[0] + clock - self._began[0], self.total[1] + cpu - self._began[1]


def build(folder: Path, recipe: Recipe, count: int, settings: SimilarLookSettings) -> Built:
    """Builds and writes an index of `count` vectors; seconds do not contain making the vectors."""
    training, adding = Stopwatch(), Stopwatch()
    sample = training_sample(recipe, count, settings)
    with training:
        index = train_compact(sample, count, settings.compact, recipe.seed)
    del sample
    save_index(_empty(folder, count), index)
    queries = recipe.block(_QUERY_BLOCK, QUERIES)
    best = np.full((QUERIES, NEAREST), -2.0, np.float32)
    exact = np.zeros((QUERIES, NEAREST), np.int64)
    first, distance = 0, 0.0
    for block in recipe.blocks(count):
        with adding:
            index.add(block)
        likeness, rows = faiss.knn(queries, block, NEAREST, metric=faiss.METRIC_INNER_PRODUCT)
        both = np.concatenate((best, likeness), axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :NEAREST]
        exact = np.take_along_axis(np.concatenate((exact, rows + first), axis=1), order, axis=1)
        best = np.take_along_axis(both, order, axis=1)
        first += len(block)
        distance += float(np.sqrt(np.maximum(2 - 2 * queries @ block.T, 0)).mean()) * len(block)
    with adding:
        save_index(_index(folder, count), index)
    made = hardness(best, distance / count)
    # Last: what has its figures is whole.
    np.savez(
        _figures(folder, count),
        exact=exact,
        train_s=training.total,
        add_s=adding.total,
        difficulty=(made.contrast, made.dimension),
    )
    return Built(folder, count, queries, exact, training.total, adding.total, made)


def kept(folder: Path, recipe: Recipe, count: int) -> Built | None:
    """What an earlier run with the same recipe and settings left in `folder`; None where nothing is whole."""
    if not _figures(folder, count).exists():
        return None
    figures = np.load(_figures(folder, count))
    train, add, difficulty = (figures[name].tolist() for name in ("train_s", "add_s", "difficulty"))
    return Built(
        folder,
        count,
        recipe.block(_QUERY_BLOCK, QUERIES),
        figures["exact"],
        (train[0], train[1]),
        (add[0], add[1]),
        Difficulty(*difficulty),
    )


def training_sample(recipe: Recipe, count: int, settings: SimilarLookSettings) -> NDArray[np.float32]:
    """float32[s, D]: as many of `count` vectors as a compact index is trained by."""
    blocks = -(-count // BLOCK)
    each = -(-sample_size(count, settings) // blocks)
    # Copies, since parts of blocks would keep all blocks in memory.
    return np.concatenate([recipe.block(number, min(BLOCK, count))[:each].copy() for number in range(blocks)])


def _index(folder: Path, count: int) -> Path:
    return folder / f"{count}.faiss"


def _empty(folder: Path, count: int) -> Path:
    return folder / f"{count}-empty.faiss"


def _figures(folder: Path, count: int) -> Path:
    return folder / f"{count}.npz"
