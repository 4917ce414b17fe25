"""faiss on the GPU beside faiss on the CPU, over the kinds of index that recall channels make."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recall.gpu_index import on_gpu, why_no_gpu
from recall.vector_index import VectorIndexSettings, make_index

DIMENSIONS, BATCH, NEIGHBOURS, LOOKED_AT = 64, 64, 100, 10
_QUERIES, _CLUSTERS, _SPREAD = 1_024, 256, 0.7


@dataclass(frozen=True)
class VectorRow:
    """One index in one place; `missing`: why there are no figures, "" where there are.

    per_s: searches a second; recall: of the nearest `LOOKED_AT`, beside the exact ones; build_s: seconds.
    """

    vectors: int
    index: str
    place: str
    per_s: float
    recall: float
    build_s: float
    missing: str = ""


def vector_rows(
    counts: Sequence[int],
    seed: int,
    until: float,
    clock: Callable[[], float] = time.monotonic,
    search_s: float = 3.0,
) -> list[VectorRow]:
    """A row per number of vectors, kind of index and place.

    `until`: when to stop, on `clock`; `search_s`: seconds that each is searched.
    """
    rows = []
    for count in counts:
        vectors, queries = drawn_vectors(count, seed)
        exact: NDArray[np.int64] | None = None
        kinds: tuple[Literal["flat", "ivf"], ...] = ("flat", "ivf")
        for kind in kinds:
            if clock() > until:
                rows += [
                    VectorRow(count, kind, place, 0, 0, 0, "no time was left") for place in ("CPU", "GPU")
                ]
                continue
            begun = clock()
            index = make_index(vectors, VectorIndexSettings(index=kind), seed)
            built = clock() - begun
            if exact is None:
                exact = index.search(queries[:BATCH], LOOKED_AT)[1]
            for place in ("CPU", "GPU"):
                lacking = why_no_gpu() if place == "GPU" else ""
                if lacking:
                    rows.append(VectorRow(count, kind, place, 0, 0, 0, lacking))
                    continue
                per_s, found = _searched(index if place == "CPU" else on_gpu(index), queries, clock, search_s)
                hits = [np.isin(a, b).mean() for a, b in zip(exact, found[:, :LOOKED_AT], strict=True)]
                rows.append(VectorRow(count, kind, place, per_s, float(np.mean(hits)), built))
    return rows


def drawn_vectors(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32[count, D] and float32[queries, D], unit vectors about the same centres."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((_CLUSTERS, DIMENSIONS), np.float32)

    def about(rows: int) -> NDArray[np.float32]:
        near = random.standard_normal((rows, DIMENSIONS), np.float32) * np.float32(_SPREAD)
        near += centres[random.integers(0, _CLUSTERS, rows)]
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        return near

    return about(count), about(_QUERIES)


def _searched(
    index: Any, queries: NDArray[np.float32], clock: Callable[[], float], search_s: float
) -> tuple[float, NDArray[np.int64]]:
    """Searches a second, and the neighbours int64[BATCH, NEIGHBOURS] of the first queries."""
    _, first = index.search(queries[:BATCH], NEIGHBOURS)
    begun, done = clock(), 0
    while clock() - begun < search_s:
        at = done % (_QUERIES - BATCH + 1)
        index.search(queries[at : at + BATCH], NEIGHBOURS)
        done += BATCH
    return done / (clock() - begun), first
