"""The index of pictures at growing sizes: recall, queries and additions a second, over seeded vectors.

    python -m benchmarks.vector_index --counts 100000 1000000 --folder /tmp/index [--real 4000]

Vectors are made block by block by a recipe whose difficulty is that of real embeddings: with `--real N` it is
fitted on N pictures of `shared/data/myntra_fashion` (`benchmarks.synthetic_vectors`), else the recipe that
`--fall`, `--large` and `--small` state is taken. Neither the index nor anything else keeps a vector in full.
Of each size: seconds to build, bytes a vector, and by probes recall@20 of the exact neighbours, queries a
second (one by one on one thread, and in batches on all) and the 99th percentile; the same while pictures
arrive, and under a filter that a tenth of the items pass. Rates are given by the clock and in CPU seconds,
which other work on the machine does not lower as much.
"""

from __future__ import annotations

import argparse
import io
import shutil
import threading
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

from benchmarks.synthetic_vectors import BLOCK, Difficulty, Recipe, difficulty, fit, hardness
from recall.pictures.compact import CompactSettings, train_compact
from recall.pictures.delta_part import DeltaPart
from recall.pictures.files import sample_size
from recall.pictures.main_part import MainPart
from recall.pictures.picture_index import PictureIndex
from recall.pictures.searched import IndexChange
from recall.pictures.settings import SimilarLookSettings
from recall.vector_index import open_index, save_index

_K, _QUERIES, _BATCH = 20, 1_000, 100
_QUERY_BLOCK, _ARRIVING_BLOCK = 10**6, 2 * 10**6
_SECONDS = 5.0


@dataclass(frozen=True)
class Built:
    """An open index over a folder, its exact neighbours, and what the building took."""

    main: MainPart
    empty: Any
    queries: NDArray[np.float32]
    exact: NDArray[np.int64]
    train_s: tuple[float, float]
    add_s: tuple[float, float]
    bytes: int
    difficulty: Difficulty
    """Of the queries among all vectors, which is harder the more there are."""


class _Stopwatch:
    """Seconds by the clock, and CPU seconds of the whole process, while it was running."""

    def __init__(self) -> None:
        self.total = (0.0, 0.0)

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        clock, cpu = time.perf_counter(), time.process_time()
        self.total = self.total[0] + clock - self._began[0], self.total[1] + cpu - self._began[1]


def build(folder: Path, recipe: Recipe, count: int, settings: SimilarLookSettings) -> Built:
    """Builds, writes and maps an index of `count` vectors; seconds do not contain making the vectors."""
    blocks = -(-count // BLOCK)
    wanted = sample_size(count, settings)
    each = -(-wanted // blocks)
    # Copies, since parts of blocks would keep all blocks in memory.
    sample = np.concatenate(
        [recipe.block(number, min(BLOCK, count))[:each].copy() for number in range(blocks)]
    )
    training, adding = _Stopwatch(), _Stopwatch()
    with training:
        index = train_compact(sample, count, settings.compact, recipe.seed)
    empty = faiss.clone_index(index)
    del sample
    queries = recipe.block(_QUERY_BLOCK, _QUERIES)
    best = np.full((_QUERIES, _K), -2.0, np.float32)
    exact = np.zeros((_QUERIES, _K), np.int64)
    first, distance = 0, 0.0
    for block in recipe.blocks(count):
        with adding:
            index.add(block)
        likeness, rows = faiss.knn(queries, block, _K, metric=faiss.METRIC_INNER_PRODUCT)
        both = np.concatenate((best, likeness), axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :_K]
        exact = np.take_along_axis(np.concatenate((exact, rows + first), axis=1), order, axis=1)
        best = np.take_along_axis(both, order, axis=1)
        first += len(block)
        distance += float(np.sqrt(np.maximum(2 - 2 * queries @ block.T, 0)).mean()) * len(block)
    path = folder / f"{count}.faiss"
    with adding:
        save_index(path, index)
    del index
    main = open_main(path, count, settings)
    return Built(
        main,
        empty,
        queries,
        exact,
        training.total,
        adding.total,
        path.stat().st_size,
        hardness(best, distance / count),
    )


def open_main(path: Path, count: int, settings: SimilarLookSettings) -> MainPart:
    """The index of `count` vectors at a path; each is a picture of an item of its own."""
    items = np.arange(1, count + 1, dtype=np.int32)
    contents = np.stack((np.arange(count), np.zeros(count)), axis=1).astype(np.uint64)
    return MainPart(open_index(path), None, items, contents, np.ones(count, np.bool_), settings)


def recall_of(rows: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    """Part of the exact neighbours that were found."""
    hits = (rows[:, :, None] == exact[:, None, :]).any(axis=1).sum()
    return float(hits / exact.size)


def measure(built: Built, probes: int) -> str:
    """One row: recall, queries a second one by one and in batches, percentiles."""
    everything = built.main.search(built.queries, _K, probes=probes)[1]
    faiss.omp_set_num_threads(1)
    single, processor = [], []
    for query in built.queries:
        began, worked = time.perf_counter(), time.process_time()
        built.main.search(query[None], _K, probes=probes)
        single.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    faiss.omp_set_num_threads(_THREADS)
    together, asked = _Stopwatch(), 0
    while together.total[0] < _SECONDS:
        with together:
            for first in range(0, _QUERIES, _BATCH):
                built.main.search(built.queries[first : first + _BATCH], _K, probes=probes)
                asked += _BATCH
    batched, worked_batched = (asked / seconds for seconds in together.total)
    milliseconds, of_cpu = np.array(single) * 1_000, np.array(processor) * 1_000
    return (
        f"  probes {probes:4}  recall@{_K} {recall_of(everything, built.exact):.3f}  "
        f"{1_000 / milliseconds.mean():7,.0f}/s one thread, {1_000 / of_cpu.mean():7,.0f} a CPU second  "
        f"batches {batched:7,.0f}/s {_THREADS} threads, {worked_batched:7,.0f} a CPU second  "
        f"p50 {np.median(milliseconds):.2f} ms  p99 {np.percentile(milliseconds, 99):.2f} ms, "
        f"{np.percentile(of_cpu, 99):.2f} of CPU"
    )


_THREADS = faiss.omp_get_max_threads()


def measure_live(
    built: Built, recipe: Recipe, settings: SimilarLookSettings, adds_per_s: int, arrived: int
) -> str:
    """Queries a second through the whole index while pictures arrive, when so many have arrived before."""
    count = len(built.main)
    size = count + arrived + int(adds_per_s * _SECONDS * 2) + 1
    # What arrives is of new items.
    stocked, categories = np.ones(size + 1, np.bool_), np.zeros(size + 1, np.int32)
    delta = DeltaPart(lambda: faiss.clone_index(built.empty), recipe.dimensions, settings)
    index = PictureIndex(built.main, delta, categories, 1, stocked, settings)
    fresh = recipe.block(_ARRIVING_BLOCK, size - count)
    changes = [IndexChange(count + 1 + row, (row, 1), vector) for row, vector in enumerate(fresh)]
    faiss.omp_set_num_threads(1)
    began = time.perf_counter()
    index.apply(changes[:arrived])
    filling = arrived / (time.perf_counter() - began) if arrived else 0.0
    ended, added = threading.Event(), 0

    def add() -> None:
        nonlocal added
        faiss.omp_set_num_threads(1)
        start, step = time.perf_counter(), max(1, adds_per_s // 10)
        while adds_per_s and not ended.wait(
            max(0.0, start + (added + step) / adds_per_s - time.perf_counter())
        ):
            index.apply(changes[arrived + added : arrived + added + step])
            added += step

    adding = threading.Thread(target=add)
    adding.start()
    took: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < _SECONDS:
        for query in built.queries:
            at = time.perf_counter()
            index.search(query, _K)
            took.append(time.perf_counter() - at)
            if at - began > _SECONDS:
                break
    elapsed = time.perf_counter() - began
    ended.set()
    adding.join()
    milliseconds = np.array(took) * 1_000
    return (
        f"  {arrived:9,} arrived before ({filling:,.0f}/s), {added / elapsed:6,.0f} adds/s beside: "
        f"{len(took) / elapsed:7,.0f} queries/s on one thread, p99 {np.percentile(milliseconds, 99):.2f} ms"
    )


def measure_filtered(built: Built, recipe: Recipe, share: float) -> str:
    """Recall and queries a second where only a part of the rows may be found."""
    count = len(built.main)
    allowed = np.flatnonzero(np.random.default_rng(7).random(count) < share)
    mask = np.zeros(count, np.bool_)
    mask[allowed] = True
    best = np.full((100, _K), -2.0, np.float32)
    exact = np.zeros((100, _K), np.int64)
    first = 0
    for block in recipe.blocks(count):
        cosines = built.queries[:100] @ block.T
        cosines[:, ~mask[first : first + len(block)]] = -2
        both = np.concatenate((best, cosines), axis=1)
        order = np.argpartition(-both, _K, axis=1)[:, :_K]
        rows = np.concatenate((exact, np.broadcast_to(np.arange(len(block)) + first, cosines.shape)), axis=1)
        exact, best = np.take_along_axis(rows, order, axis=1), np.take_along_axis(both, order, axis=1)
        first += len(block)
    faiss.omp_set_num_threads(1)
    began = time.perf_counter()
    rows = np.concatenate([built.main.search(query[None], _K, allowed)[1] for query in built.queries[:100]])
    elapsed = time.perf_counter() - began
    return (
        f"  {share:.0%} may be found: recall@{_K} {recall_of(rows, exact):.3f}, "
        f"{100 / elapsed:,.0f} queries/s on one thread"
    )


def real_difficulty(pictures: int, dimensions: int, cache: Path) -> tuple[Difficulty, int]:
    """Of embeddings of pictures of Myntra, in the space that they give themselves, and how many they are."""
    import polars as pl

    from benchmarks.picture_features import InProcessEncoder
    from benchmarks.public_data import SHARED
    from vision.fit_space import fit_space

    table = pl.read_parquet(SHARED / "myntra_fashion" / "images.parquet").head(pictures)
    encoder = InProcessEncoder(cache)
    features = encoder.features([Image.open(io.BytesIO(each)).convert("RGB") for each in table["jpeg"]])
    vectors = fit_space(features, dimensions, 1).project(features)
    return difficulty(vectors, 1), len(vectors)


def main() -> None:
    """Prints a section per size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000])
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--probes", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--scanned", choices=("pq", "rabitq"), default="pq")
    parser.add_argument("--refined-bits", type=int, choices=(4, 6, 8), default=8)
    parser.add_argument("--scanned-dimensions", type=int, default=0)
    parser.add_argument("--refined", type=float, nargs="+", default=[10.0], help="the first for a build")
    parser.add_argument("--folder", type=Path, required=True, help="where indexes are written, and removed")
    parser.add_argument("--real", type=int, default=0, help="pictures of Myntra to fit the recipe on")
    parser.add_argument("--fall", type=float, default=1.2)
    parser.add_argument("--large", type=float, default=0.45)
    parser.add_argument("--small", type=float, default=0.25)
    parser.add_argument("--arrived", type=int, nargs="+", default=[0, 20_000])
    parser.add_argument("--adds", type=int, default=1_000, help="a second, beside the queries")
    given = parser.parse_args()
    recipe = Recipe(given.dimensions, given.fall, given.large, given.small, seed=1)
    if given.real:
        wanted, count = real_difficulty(given.real, given.dimensions, given.folder / "features")
        recipe, made = fit(wanted, count, given.dimensions, seed=1)
        print(f"real:   {wanted}\nrecipe: {made}, {recipe}", flush=True)
    settings = SimilarLookSettings(
        index="compact",
        compact=CompactSettings(
            scanned=given.scanned,
            scanned_dimensions=given.scanned_dimensions,
            refined_bits=given.refined_bits,
            refined=given.refined[0],
        ),
    )
    for count in given.counts:
        folder = given.folder / f"index-{count}"
        folder.mkdir(parents=True)
        try:
            built = build(folder, recipe, count, settings)
            print(
                f"{count:,} × {recipe.dimensions}, {given.scanned} refined by {given.refined_bits} bits: "
                f"trained in {built.train_s[0]:,.0f} s ({built.train_s[1]:,.0f} of CPU), added "
                f"{count / built.add_s[0]:,.0f}/s ({count / built.add_s[1]:,.0f} a CPU second), rebuilt in "
                f"{built.train_s[0] + built.add_s[0]:,.0f} s "
                f"({built.train_s[1] + built.add_s[1]:,.0f} of CPU), "
                f"{built.bytes / count:,.0f} bytes a vector",
                flush=True,
            )
            for refined, probes in product(given.refined, given.probes):
                compact = settings.compact.model_copy(update={"refined": refined})
                searched = settings.model_copy(update={"compact": compact})
                main = open_main(folder / f"{count}.faiss", count, searched)
                print(f"  {refined:g} times as many", measure(replace(built, main=main), probes), flush=True)
            resident = psutil.Process().memory_info().rss / 2**20
            print(f"  as hard as {built.difficulty}; resident {resident:,.0f} MiB", flush=True)
            print(measure_filtered(built, recipe, 0.1), flush=True)
            for arrived in given.arrived:
                print(measure_live(built, recipe, settings, given.adds, arrived), flush=True)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
