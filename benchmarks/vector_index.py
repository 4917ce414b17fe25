"""The index of pictures at growing sizes: recall, queries and additions a second, over seeded vectors.

    python -m benchmarks.vector_index --counts 100000 1000000 --folder /tmp/index [--real 4000]

Vectors are made block by block by a recipe whose difficulty is that of real embeddings: with `--real N` it is
fitted on N pictures of `shared/data/myntra_fashion` (`benchmarks.synthetic_vectors`), else the recipe that
`--fall`, `--large` and `--small` state is taken. Neither the index nor anything else keeps a vector in full.
Of each size: seconds to build, bytes a vector, and by probes recall@20 of the exact neighbours, queries a
second (one by one on one thread, and in batches on all) and the 99th percentile; the same while pictures
arrive, while the next index is built, and under a filter that a tenth of the items pass. Rates are given by
the clock and in CPU seconds, which other work on the machine does not lower as much. With `--keep` indexes
stay in the folder, and what an earlier run left there is measured without building it again.
"""

from __future__ import annotations

import argparse
import io
import shutil
import time
from itertools import product
from pathlib import Path
from typing import Literal, get_args

import faiss
import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

from benchmarks.built_index import NEAREST, QUERIES, Built, Stopwatch, build, kept
from benchmarks.live_index import measure_adds, measure_rebuild
from benchmarks.synthetic_vectors import Difficulty, Recipe, difficulty, fit
from recall.pictures.compact import CompactSettings
from recall.pictures.main_part import MainPart
from recall.pictures.settings import SimilarLookSettings

_BATCH, _FILTERED = 100, 100
_SECONDS = 5.0
_THREADS = faiss.omp_get_max_threads()

_Part = Literal["searches", "filter", "adds", "rebuild"]
_PARTS: tuple[_Part, ...] = get_args(_Part)


def recall_of(rows: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    """Part of the exact neighbours that were found."""
    hits = (rows[:, :, None] == exact[:, None, :]).any(axis=1).sum()
    return float(hits / exact.size)


def measure(main: MainPart, built: Built, probes: int) -> str:
    """One row: recall, queries a second one by one and in batches, percentiles."""
    everything = main.search(built.queries, NEAREST, probes=probes)[1]
    faiss.omp_set_num_threads(1)
    single, processor = [], []
    for query in built.queries:
        began, worked = time.perf_counter(), time.process_time()
        main.search(query[None], NEAREST, probes=probes)
        single.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    faiss.omp_set_num_threads(_THREADS)
    together, asked = Stopwatch(), 0
    while together.total[0] < _SECONDS:
        with together:
            for first in range(0, QUERIES, _BATCH):
                main.search(built.queries[first : first + _BATCH], NEAREST, probes=probes)
                asked += _BATCH
    batched, worked_batched = (asked / seconds for seconds in together.total)
    milliseconds, of_cpu = np.array(single) * 1_000, np.array(processor) * 1_000
    return (
        f"  probes {probes:4}  recall@{NEAREST} {recall_of(everything, built.exact):.3f}  "
        f"{1_000 / milliseconds.mean():7,.0f}/s one thread, {1_000 / of_cpu.mean():7,.0f} a CPU second  "
        f"batches {batched:7,.0f}/s {_THREADS} threads, {worked_batched:7,.0f} a CPU second  "
        f"p50 {np.median(milliseconds):.2f} ms  p99 {np.percentile(milliseconds, 99):.2f} ms, "
        f"{np.percentile(of_cpu, 99):.2f} of CPU"
    )


def measure_filtered(main: MainPart, built: Built, recipe: Recipe, share: float) -> str:
    """Recall and queries a second where only a part of the rows may be found."""
    count = len(main)
    mask = np.random.default_rng(7).random(count) < share
    best = np.full((_FILTERED, NEAREST), -2.0, np.float32)
    exact = np.zeros((_FILTERED, NEAREST), np.int64)
    first = 0
    for block in recipe.blocks(count):
        cosines = built.queries[:_FILTERED] @ block.T
        cosines[:, ~mask[first : first + len(block)]] = -2
        both = np.concatenate((best, cosines), axis=1)
        order = np.argpartition(-both, NEAREST, axis=1)[:, :NEAREST]
        rows = np.concatenate((exact, np.broadcast_to(np.arange(len(block)) + first, cosines.shape)), axis=1)
        exact, best = np.take_along_axis(rows, order, axis=1), np.take_along_axis(both, order, axis=1)
        first += len(block)
    faiss.omp_set_num_threads(1)
    began = time.perf_counter()
    rows = np.concatenate(
        [main.search(query[None], NEAREST, mask=mask)[1] for query in built.queries[:_FILTERED]]
    )
    elapsed = time.perf_counter() - began
    return (
        f"  {share:.0%} may be found: recall@{NEAREST} {recall_of(rows, exact):.3f}, "
        f"{_FILTERED / elapsed:,.0f} queries/s on one thread"
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


def report(built: Built, recipe: Recipe, settings: SimilarLookSettings, given: argparse.Namespace) -> None:
    """Prints what was asked for of one size."""
    count, (train, add) = built.count, (built.train_s, built.add_s)
    print(
        f"{count:,} × {recipe.dimensions}, {given.scanned} refined by {given.refined_bits} bits: "
        f"trained in {train[0]:,.0f} s ({train[1]:,.0f} of CPU), added {count / add[0]:,.0f}/s "
        f"({count / add[1]:,.0f} a CPU second), rebuilt in {train[0] + add[0]:,.0f} s "
        f"({train[1] + add[1]:,.0f} of CPU), {built.path.stat().st_size / count:,.0f} bytes a vector",
        flush=True,
    )
    if "searches" in given.parts:
        for refined, probes in product(given.refined, given.probes):
            compact = settings.compact.model_copy(update={"refined": refined})
            main = built.main(settings.model_copy(update={"compact": compact}))
            print(f"  {refined:g} times as many", measure(main, built, probes), flush=True)
        resident = psutil.Process().memory_info().rss / 2**20
        print(f"  as hard as {built.difficulty}; resident {resident:,.0f} MiB", flush=True)
    if "filter" in given.parts:
        print(measure_filtered(built.main(settings), built, recipe, 0.1), flush=True)
    searched = settings.model_copy(update={"ivf_probes": given.probes[0]})
    for callers in given.callers:
        asked = {"callers": callers, "seconds": _SECONDS}
        for arrived in given.arrived if "adds" in given.parts else ():
            row = measure_adds(built, recipe, searched, adds_per_s=given.adds, arrived=arrived, **asked)
            print(row, flush=True)
        stages: tuple[Literal["training", "adding"], ...] = ("training", "adding")
        for stage in stages if "rebuild" in given.parts else ():
            print(measure_rebuild(built, recipe, searched, stage, **asked), flush=True)


def main() -> None:
    """Prints a section per size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000])
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument(
        "--probes", type=int, nargs="+", default=[16, 32, 64, 128], help="the first beside adds and rebuilds"
    )
    parser.add_argument("--scanned", choices=("pq", "rabitq"), default="pq")
    parser.add_argument("--refined-bits", type=int, choices=(4, 6, 8), default=8)
    parser.add_argument("--scanned-dimensions", type=int, default=0)
    parser.add_argument("--refined", type=float, nargs="+", default=[10.0], help="the first for a build")
    parser.add_argument("--folder", type=Path, required=True, help="where indexes are written, and removed")
    parser.add_argument("--keep", action="store_true", help="leave them there, and take those that are there")
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=_PARTS, help="what is measured")
    parser.add_argument("--real", type=int, default=0, help="pictures of Myntra to fit the recipe on")
    parser.add_argument("--fall", type=float, default=1.2)
    parser.add_argument("--large", type=float, default=0.45)
    parser.add_argument("--small", type=float, default=0.25)
    parser.add_argument("--arrived", type=int, nargs="+", default=[0, 20_000])
    parser.add_argument("--adds", type=int, default=1_000, help="a second, beside the queries")
    parser.add_argument(
        "--callers", type=int, nargs="+", default=[1, 2], help="threads beside adds, rebuilds"
    )
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
        folder.mkdir(parents=True, exist_ok=given.keep)
        try:
            built = kept(folder, recipe, count) if given.keep else None
            report(built or build(folder, recipe, count, settings), recipe, settings, given)
        finally:
            if not given.keep:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
