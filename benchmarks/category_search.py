"""Two ways to search vectors within a category, shown equal and compared: coordinates and selectors.

The coordinate shift adds coordinates to unit vectors: one group of `BASE` for each digit of the category's
number, M at the digit's place and 0 elsewhere, in items and queries alike. Of c digits, what is in the asked
category gains c · M² by inner product and everything else at most (c − 1) · M², so that with M² > 2 nothing
else comes before it. Any index then searches within a category, without knowing of categories. A selector
(`faiss.IDSelector`) leaves out the others while an index is searched; over rows sorted by category it is a
range of rows.

Run `python -m benchmarks.category_search [--items 1000000] [--dimensions 64] [--categories 1000]`. It prints
the median time of a search for 20 neighbours on one thread, methods in turns, recall@20 of the exact
neighbours, and MiB of the index.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.synthetic_vectors import BLOCK, Recipe
from recall.category_rows import CategoryRows

BASE = 16
"""Coordinates of a digit."""
SHIFT = 4.0
"""M, whose square is far above 2, the most that two inner products of unit vectors differ by."""
_K, _QUERIES, _PROBES = 20, 200, 32
_FAISS: Any = faiss

Float32 = NDArray[np.float32]
Search = Callable[[Float32, int], NDArray[np.int64]]
"""(query float32[D], category) → rows of the nearest, −1 where there are none."""


def digits_of(categories: int) -> int:
    """Digits by which so many categories are told apart."""
    digits = 1
    while BASE**digits < categories:
        digits += 1
    return digits


def shifted(vectors: Float32, categories: NDArray[np.integer], digits: int) -> Float32:
    """float32[n, D + 16 · digits]: unit vectors float32[n, D] with coordinates of their categories int[n]."""
    rows = np.arange(len(vectors))
    added = np.zeros((len(vectors), digits, BASE), np.float32)
    for digit in range(digits):
        added[rows, digit, categories // BASE**digit % BASE] = SHIFT
    return np.concatenate((vectors, added.reshape(len(vectors), digits * BASE)), axis=1)


@dataclass(frozen=True)
class Method:
    """A way to search within a category."""

    name: str
    search: Search
    mib: float


def methods(vectors: Float32, categories: NDArray[np.int64], count: int, seed: int) -> list[Method]:
    """All ways over float32[n, D], sorted by category int64[n] of 0…count − 1."""
    digits = digits_of(count)
    dimensions = vectors.shape[1]
    plain, wide = faiss.IndexFlatIP(dimensions), faiss.IndexFlatIP(dimensions + BASE * digits)
    lists = max(1, int(len(vectors) ** 0.5))
    few, few_wide = (
        faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, lists, faiss.METRIC_INNER_PRODUCT)
        for d in (dimensions, dimensions + BASE * digits)
    )
    sample = np.random.default_rng(seed).permutation(len(vectors))[: lists * 40]
    few.train(vectors[sample])
    few_wide.train(shifted(vectors[sample], categories[sample], digits))
    for begin in range(0, len(vectors), BLOCK):
        part = slice(begin, begin + BLOCK)
        with_category = shifted(vectors[part], categories[part], digits)
        plain.add(vectors[part])
        few.add(vectors[part])
        wide.add(with_category)
        few_wide.add(with_category)
    rows = CategoryRows.over(plain, categories, count)
    bits = {}

    def bitmap(category: int) -> Any:
        if category not in bits:
            bits[category] = np.packbits(categories == category, bitorder="little")
        return _FAISS.IDSelectorBitmap(bits[category])

    def by_range(query: Float32, category: int) -> NDArray[np.int64]:
        found = rows.search(query, category, _K)[1]
        return np.pad(found, (0, _K - len(found)), constant_values=-1)

    def selected(index: Any, parameters: Callable[[Any], Any]) -> Search:
        return lambda query, category: index.search(query[None], _K, params=parameters(bitmap(category)))[1][
            0
        ]

    def by_shift(index: Any, parameters: Any) -> Search:
        def search(query: Float32, category: int) -> NDArray[np.int64]:
            near, found = index.search(
                shifted(query[None], np.array([category]), digits), _K, params=parameters
            )
            # What has less than the whole shift is of another category: there were no more of this one.
            inside = near[0] > digits * SHIFT**2 - SHIFT**2 / 2
            return np.where(inside, found[0], -1)

        return search

    def of_lists(selector: Any) -> Any:
        return _FAISS.SearchParametersIVF(nprobe=_PROBES, sel=selector)

    flat_mib, wide_mib = (len(vectors) * d * 4 / 2**20 for d in (dimensions, dimensions + BASE * digits))
    return [
        Method("selector, rows sorted by category (served)", by_range, flat_mib),
        Method("selector, bits", selected(plain, lambda sel: _FAISS.SearchParameters(sel=sel)), flat_mib),
        Method("shift", by_shift(wide, None), wide_mib),
        Method(f"selector, bits, ivf with {_PROBES} probes", selected(few, of_lists), flat_mib),
        Method(
            f"shift, ivf with {_PROBES} probes",
            by_shift(few_wide, _FAISS.SearchParametersIVF(nprobe=_PROBES)),
            wide_mib,
        ),
    ]


def synthetic(items: int, dimensions: int, categories: int, seed: int) -> tuple[Float32, NDArray[np.int64]]:
    """Unit vectors float32[n, D] and their categories, sorted: mostly the nearest of as many centres."""
    recipe = Recipe(dimensions, seed=seed)
    vectors = np.concatenate(list(recipe.blocks(items)))
    random = np.random.default_rng(seed)
    centres = vectors[random.choice(items, categories, replace=False)]
    nearest = np.concatenate(
        [np.argmax(vectors[at : at + BLOCK] @ centres.T, axis=1) for at in range(0, items, BLOCK)]
    )
    strays = random.random(items) < 0.1
    of_item = np.where(strays, random.integers(0, categories, items), nearest)
    order = np.argsort(of_item, kind="stable")
    return np.ascontiguousarray(vectors[order]), of_item[order].astype(np.int64)


def compare(
    vectors: Float32, categories: NDArray[np.int64], count: int, queries: int, seed: int
) -> list[tuple[Method, float, float]]:
    """Each method with the median milliseconds of a search and its recall of the exact neighbours.

    Raises ValueError where a method without lists finds other neighbours than the first one.
    """
    faiss.omp_set_num_threads(1)
    ways = methods(vectors, categories, count, seed)
    random = np.random.default_rng(seed + 1)
    asked = random.choice(len(vectors), queries)
    noise = random.standard_normal((queries, vectors.shape[1]), np.float32)
    wanted = vectors[asked] + 0.5 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    of_query = categories[random.choice(len(vectors), queries)]
    took: list[list[float]] = [[] for _ in ways]
    found: list[list[NDArray[np.int64]]] = [[] for _ in ways]
    for query, category in zip(wanted, of_query.tolist(), strict=True):
        for number, way in enumerate(ways):
            began = time.perf_counter()
            rows = way.search(query, category)
            took[number].append(time.perf_counter() - began)
            found[number].append(rows)
    results = []
    for number, way in enumerate(ways):
        recall = np.mean(
            [
                np.isin(exact[exact >= 0], rows).mean()
                for exact, rows in zip(found[0], found[number], strict=True)
            ]
        )
        if "ivf" not in way.name and recall < 1:
            raise ValueError(f"{way.name} finds other neighbours: recall {recall:.4f}")
        results.append((way, float(np.median(took[number]) * 1e3), float(recall)))
    return results


def main() -> None:
    """Prints a line for each method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--categories", type=int, default=1_000)
    parser.add_argument("--queries", type=int, default=_QUERIES)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    vectors, categories = synthetic(options.items, options.dimensions, options.categories, options.seed)
    print(f"{options.items:,} items × {options.dimensions}, {options.categories:,} categories")
    for way, took_ms, recall in compare(
        vectors, categories, options.categories, options.queries, options.seed
    ):
        print(f"{way.name:45} {took_ms:9.3f} ms   recall@{_K} {recall:.3f}   {way.mib:7.0f} MiB")


if __name__ == "__main__":
    main()
