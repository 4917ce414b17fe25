"""Queries a second through the whole index of pictures, while pictures arrive or the next index is built."""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Literal

import faiss
import numpy as np

from benchmarks.built_index import NEAREST, Built
from benchmarks.synthetic_vectors import Recipe
from recall.pictures.compact import train_compact
from recall.pictures.delta_part import DeltaPart
from recall.pictures.files import sample_size
from recall.pictures.picture_index import PictureIndex
from recall.pictures.searched import IndexChange
from recall.pictures.settings import SimilarLookSettings
from recall.vector_index import open_index

_ARRIVING_BLOCK = 2 * 10**6
_STEPS_PER_S = 10
"""Times a second that those arrive which came since."""
_BEGINNING_S = 600.0
"""Longest wait for a building that runs beside."""


@dataclass(frozen=True)
class _Asked:
    """What callers got: seconds that each query took, of CPU in all, and by the clock."""

    took: list[float]
    cpu_s: float
    elapsed: float

    def __str__(self) -> str:
        milliseconds = np.array(self.took) * 1_000
        return (
            f"{len(self.took) / self.elapsed:7,.0f} queries/s, "
            f"{len(self.took) / self.cpu_s:7,.0f} a CPU second, "
            f"p50 {np.median(milliseconds):.2f} ms, p99 {np.percentile(milliseconds, 99):.2f} ms"
        )


def measure_adds(
    built: Built,
    recipe: Recipe,
    settings: SimilarLookSettings,
    *,
    adds_per_s: int,
    arrived: int,
    callers: int,
    seconds: float,
) -> str:
    """A row: queries of so many threads beside so many adds a second, when `arrived` pictures came before."""
    index, changes = _open(built, recipe, settings, arrived + int(adds_per_s * seconds * 2))
    began = time.perf_counter()
    index.apply(changes[:arrived])
    filling = arrived / (time.perf_counter() - began) if arrived else 0.0
    ended = threading.Event()
    added = [0]

    def add() -> None:
        start, step = time.perf_counter(), max(1, adds_per_s // _STEPS_PER_S)
        while adds_per_s and not ended.wait(
            max(0.0, start + (added[0] + step) / adds_per_s - time.perf_counter())
        ):
            index.apply(changes[arrived + added[0] : arrived + added[0] + step])
            added[0] += step

    adding = threading.Thread(target=add)
    adding.start()
    asked = _ask(index, built, callers, seconds)
    ended.set()
    adding.join()
    return (
        f"  {arrived:9,} arrived before ({filling:,.0f}/s), {added[0] / asked.elapsed:6,.0f} adds/s beside, "
        f"{callers} threads: {asked}"
    )


def measure_rebuild(
    built: Built,
    recipe: Recipe,
    settings: SimilarLookSettings,
    stage: Literal["training", "adding"],
    *,
    callers: int,
    seconds: float,
) -> str:
    """A row: queries of so many threads while another process does a stage of building as large an index."""
    index, _ = _open(built, recipe, settings, 0)
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    other = context.Process(
        target=_train if stage == "training" else _add,
        args=(begun, recipe, built.count, settings, built.folder),
        daemon=True,
    )
    other.start()
    try:
        if not begun.wait(_BEGINNING_S):
            raise RuntimeError(f"the {stage} beside did not begin within {_BEGINNING_S:.0f} s")
        asked = _ask(index, built, callers, seconds)
        if not other.is_alive():
            raise RuntimeError(f"the {stage} beside ended before the queries did; ask for fewer seconds")
    finally:
        other.kill()
        other.join()
    return f"  {stage} the next index beside, {callers} threads: {asked}"


def _open(
    built: Built, recipe: Recipe, settings: SimilarLookSettings, arriving: int
) -> tuple[PictureIndex, list[IndexChange]]:
    """The whole index, and as many pictures of new items that may arrive."""
    size = built.count + arriving + 1
    empty = built.empty()
    index = PictureIndex(
        built.main(settings),
        DeltaPart(lambda: faiss.clone_index(empty), recipe.dimensions, settings),
        np.zeros(size + 1, np.int32),
        1,
        np.ones(size + 1, np.bool_),
        settings,
    )
    # What a process has just mapped is slow to read for once.
    faiss.omp_set_num_threads(1)
    for query in built.queries:
        index.search(query, NEAREST)
    fresh = recipe.block(_ARRIVING_BLOCK, arriving) if arriving else ()
    return index, [IndexChange(built.count + 1 + row, (row, 1), vector) for row, vector in enumerate(fresh)]


def _ask(index: PictureIndex, built: Built, callers: int, seconds: float) -> _Asked:
    took: list[float] = []
    worked: list[float] = []

    def call(number: int) -> None:
        faiss.omp_set_num_threads(1)
        own, at = [], number * len(built.queries) // callers
        began = time.perf_counter()
        while (before := time.perf_counter()) - began < seconds:
            index.search(built.queries[at % len(built.queries)], NEAREST)
            own.append(time.perf_counter() - before)
            at += 1
        took.extend(own)
        worked.append(time.thread_time())

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _Asked(took, sum(worked), time.perf_counter() - began)


def _train(begun: Event, recipe: Recipe, count: int, settings: SimilarLookSettings, folder: Path) -> None:
    # The first vectors in place of some of each block, which all would have to be made.
    sample = np.concatenate(list(recipe.blocks(sample_size(count, settings))))
    begun.set()
    while True:
        train_compact(sample, count, settings.compact, recipe.seed)


def _add(begun: Event, recipe: Recipe, count: int, settings: SimilarLookSettings, folder: Path) -> None:
    empty = open_index(folder / f"{count}-empty.faiss", mapped=False)
    block = recipe.block(0)
    begun.set()
    while True:
        index = faiss.clone_index(empty)
        for _ in range(16):
            index.add(block)
