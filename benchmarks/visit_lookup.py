"""Time and memory of visit_knn over synthetic visits: one request, the index, and its build.

Items of a visit are drawn by Zipf's law, so that the most popular ones are in far more visits than are looked
up; a request has a history of 50 such items.

Run `python -m benchmarks.visit_lookup [--visits 100000 1000000] [--items 50000] [--requests 500]`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import fields
from pathlib import Path

import numpy as np

from recall.query import Query
from recall.visit_index import VisitIndex
from recall.visit_knn import VisitKnnSettings
from recall.visit_neighbours import VisitNeighbours
from recall.visits import Visits
from snapshot.catalogue import Catalogue
from testing.synthetic_shop import synthetic_dataset

NOW = 1_700_000_000
ASKED = 300


def drawn_items(rng: np.random.Generator, count: int, items: int) -> np.ndarray:
    """int32[count] of 1…items, the r-th in proportion to 1 / r."""
    share = 1 / np.arange(1, items + 1)
    return 1 + rng.choice(items, count, p=share / share.sum()).astype(np.int32)


def synthetic_visits(rng: np.random.Generator, count: int, items: int) -> Visits:
    """Visits of 2 to 8 items over a year."""
    lengths = rng.integers(2, 9, count)
    offsets = np.r_[0, np.cumsum(lengths)]
    begin = np.sort(NOW - rng.integers(0, 365 * 86_400, count))
    return Visits(offsets, drawn_items(rng, int(offsets[-1]), items), begin)


def measure(catalogue: Catalogue, visits: int, requests: int, seed: int) -> dict[str, float]:
    """Milliseconds of a request (median and p99), seconds of the build, and MiB of the index."""
    rng = np.random.default_rng(seed)
    made = synthetic_visits(rng, visits, catalogue.size)
    settings = VisitKnnSettings()
    began = time.perf_counter()
    index = VisitIndex.of(made, catalogue.size, NOW, settings.visits_per_item)
    built = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        index.write(Path(folder))
        opened = VisitNeighbours(VisitIndex.open(Path(folder), catalogue.size), catalogue, settings)
        took = []
        for _ in range(requests):
            items = drawn_items(rng, 50, catalogue.size)
            query = Query(
                scene="home",
                now=NOW,
                history_items=items,
                history_events=np.full(50, 2, np.uint8),
                history_ts=NOW - 60 * np.arange(50),
            )
            began = time.perf_counter()
            opened.recall(query, ASKED)
            took.append(time.perf_counter() - began)
    size = sum(getattr(index, field.name).nbytes for field in fields(index))
    return {
        "request_ms": float(np.median(took) * 1e3),
        "p99_ms": float(np.quantile(took, 0.99) * 1e3),
        "build_s": built,
        "index_mib": size / 2**20,
    }


def main() -> None:
    """Prints one line for each number of visits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visits", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shop = synthetic_dataset(Path(folder), users=10, items=options.items, events=100)
        for visits in options.visits:
            figures = measure(shop.catalogue, visits, options.requests, options.seed)
            print(f"{visits} visits: " + "  ".join(f"{name} {value:.2f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
