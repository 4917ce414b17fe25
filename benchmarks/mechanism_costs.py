"""What filters, fusions, rerankers and page rerankers cost over synthetic catalogues of growing size.

Catalogues and logs are those of `benchmarks.channel_costs`. Each learned table is built from the log, and
each registered component is created with its defaults and asked for shoppers of the log: 300 candidates, most
of their own categories, 20 slots, and 100 items that they were shown before. Fusions join five lists of 300
items; page rerankers arrange four scenes of 20 slots and 300 candidates. Printed are seconds of the CPU and
MiB of each table, and milliseconds of the thread's processor time of each call (median, 99th percentile), so
that other work on the machine does not count. The prices of `head_cap` are fitted by the build of a shop;
here no item has one.

Run `python -m benchmarks.mechanism_costs [--items 100000 1000000] [--events 500000]`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.channel_costs import NOW, queries_of, synthetic_catalogue, synthetic_log
from pipeline.candidates import Candidates, unscored
from recall.channel import BuildSource, Recalled
from recall.query import Query
from router.filters.registry import FILTERS
from router.fusion.kind import FusionParts
from router.fusion.registry import FUSIONS
from router.page.contract import PageReranker, RankedScene
from router.page.registry import PAGE_RERANKERS
from router.page.scatter import PageScatterSettings
from router.query_features.seen import Seen
from router.rerank.dimensions import STANDARD, TRIGGER
from router.rerank.registry import RERANKERS
from router.rerank.scatter import ScatterRule, ScatterSettings
from router.tables.component import Parts
from router.tables.files import build_tables, open_tables
from router.tables.popularity import POPULARITY
from router.tables.purchase_cycles import PURCHASE_CYCLES
from router.tables.standard_categories import STANDARD_CATEGORIES
from snapshot.catalogue import Catalogue
from state.user_state import scene_tag

CANDIDATES, SLOTS, SCENES, SEEN, CHANNELS_FUSED, WANTED = 300, 20, 4, 100, 5, 450
DRAWN = 60_000
"""Items of the catalogue among which a shopper's candidates are looked for."""
DAY_S = 86_400
TABLES = (STANDARD_CATEGORIES, PURCHASE_CYCLES, POPULARITY)
DIMENSIONS = ("category", "brand", "price_band", "popularity_band", *STANDARD, TRIGGER)
"""Seven, of each of which a rule of `scatter` allows two in five slots."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds of the thread's processor time of one call."""

    median_ms: float
    p99_ms: float


def candidates_of(query: Query, catalogue: Catalogue, random: np.random.Generator) -> Candidates:
    """300 ranked candidates of a shopper, scored as probabilities: the history, then items like it.

    Those are of the history's categories as far as a part of the catalogue drawn for this shopper has them.
    """
    drawn = random.integers(1, catalogue.size + 1, DRAWN).astype(np.int32)
    near = np.isin(catalogue.category[drawn], catalogue.category[query.history_items])
    ordered = np.concatenate((query.history_items, drawn[near], drawn[~near]))
    _, first = np.unique(ordered, return_index=True)
    chosen = ordered[np.sort(first)][:CANDIDATES]
    found = unscored(
        chosen,
        np.ones(chosen.size, np.uint32),
        np.linspace(1, 0, chosen.size, dtype=np.float32),
        random.choice(query.triggers, chosen.size).astype(np.int32),
    )
    return found.with_score((0.5 * np.exp(-np.arange(chosen.size) / 40)).astype(np.float32))


def with_seen(query: Query, candidates: Candidates) -> Query:
    """The query of a shopper who was shown some of the candidates on the days before."""
    items = candidates.items[:SEEN]
    seen = Seen(
        items,
        np.full(items.size, scene_tag(query.scene), np.uint32),
        NOW - DAY_S * (1 + np.arange(items.size, dtype=np.int64) // SLOTS),
    )
    return replace(query, features={**query.features, "seen": seen})


def build_tables_of(source: BuildSource, folder: Path) -> dict[str, tuple[float, float]]:
    """Builds `TABLES` below the folder; table → seconds of the CPU, MiB."""
    costs = {}
    for table in TABLES:
        began = time.process_time()
        build_tables({table.name: table}, source, folder, {table.name: table.settings()})
        took = time.process_time() - began
        files = [path for path in (folder / table.name).rglob("*") if path.is_file()]
        costs[table.name] = took, sum(path.stat().st_size for path in files) / 2**20
    return costs


def timed(calls: Sequence[Callable[[], object]]) -> Cost:
    """Runs all calls once to map what they read, then again with the clock."""
    for call in calls:
        call()
    took = []
    for call in calls:
        began = time.thread_time()
        call()
        took.append(time.thread_time() - began)
    return Cost(float(np.median(took) * 1e3), float(np.quantile(took, 0.99) * 1e3))


def costs_of(parts: Parts, asked: Sequence[tuple[Query, Candidates]]) -> dict[str, Cost]:
    """Every filter, reranker, fusion and page reranker, by "<kind> <name>", and `scatter` of seven rules."""
    costs = {}
    for name, kind in FILTERS.items():
        keep = kind.create(parts, kind.settings()).keep
        costs[f"filter {name}"] = timed([partial(keep, query, found) for query, found in asked])
    rules = [ScatterRule(by=by, window=5, max=2) for by in DIMENSIONS]
    rerankers = {name: kind.create(parts, kind.settings()) for name, kind in RERANKERS.items()}
    rerankers["scatter, 7 rules"] = RERANKERS["scatter"].create(parts, ScatterSettings(rules=rules))
    for name, reranker in rerankers.items():
        calls = [partial(reranker.order, query, found, SLOTS) for query, found in asked]
        costs[f"rerank {name}"] = timed(calls)
    return costs | _fusions(parts, asked) | _pages(parts, asked, rules)


def _fusions(parts: Parts, asked: Sequence[tuple[Query, Candidates]]) -> dict[str, Cost]:
    """Five lists of a shopper, drawn from the candidates of two, so that they share many items."""
    random, costs = np.random.default_rng(0), {}
    names = tuple(f"channel{number}" for number in range(CHANNELS_FUSED))
    fused = FusionParts(parts.catalogue, {}, names, np.full(CHANNELS_FUSED, 1 / CHANNELS_FUSED))
    lists = []
    for row, (_, found) in enumerate(asked):
        pool = np.union1d(found.items, asked[(row + 1) % len(asked)][1].items)
        lists.append([_answer(random.permutation(pool)[:CANDIDATES]) for _ in names])
    for name, kind in FUSIONS.items():
        fusion = kind.create(fused, kind.settings())
        costs[f"fusion {name}"] = timed([partial(fusion.fuse, answers, WANTED) for answers in lists])
    return costs


def _answer(items: NDArray[np.int32]) -> Recalled:
    scores = np.linspace(1, 0, items.size, dtype=np.float32)
    return Recalled(items, scores, np.zeros(items.size, np.int32))


def _pages(
    parts: Parts, asked: Sequence[tuple[Query, Candidates]], rules: Sequence[ScatterRule]
) -> dict[str, Cost]:
    """Four scenes of neighbouring shoppers' candidates, arranged together."""
    settings = {"scatter": PageScatterSettings(rules=list(rules))}
    following = [*asked, *asked]
    pages = [
        [RankedScene(query, SLOTS, found) for query, found in following[row : row + SCENES]]
        for row in range(len(asked))
    ]
    costs = {}
    for name, kind in PAGE_RERANKERS.items():
        reranker = kind.create(parts, settings.get(name, kind.settings()))
        costs[f"page {name}"] = timed([partial(_finish, reranker, page) for page in pages])
    return costs


def _finish(reranker: PageReranker, page: Sequence[RankedScene]) -> None:
    """Runs an arrangement, which never waits, to its end without an event loop."""
    try:
        reranker.arrange(page).send(None)
    except StopIteration:
        return
    raise RuntimeError(f"the page reranker {reranker.name} waits for something")


def measure(
    items: int, events: int, requests: int, seed: int
) -> tuple[dict[str, tuple[float, float]], dict[str, Cost]]:
    """The costs of tables, as of `build_tables_of`, and of calls, as of `costs_of`, for one catalogue."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as scratch:
        catalogue = synthetic_catalogue(Path(scratch) / "catalogue", items, random)
        log = synthetic_log(catalogue, events, random)
        users = pl.DataFrame(
            {"user": [1], "user_id": ["u1"]}, schema={"user": pl.Int32, "user_id": pl.String}
        )
        source = BuildSource(log, users, catalogue, NOW, {}, seed)
        built = build_tables_of(source, Path(scratch) / "tables")
        settings = {table.name: table.settings() for table in TABLES}
        kinds = {table.name: table for table in TABLES}
        parts = Parts(catalogue, open_tables(kinds, Path(scratch) / "tables", catalogue, settings))
        asked = []
        for query in queries_of(log, requests, random):
            found = candidates_of(query, catalogue, random)
            asked.append((with_seen(query, found), found))
        return built, costs_of(parts, asked)


def main() -> None:
    """Prints a table for each size of the catalogue."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for items in options.items:
        tables, calls = measure(items, options.events, options.requests, options.seed)
        print(f"{items:,} items, {options.events:,} events", flush=True)
        for name, (seconds, mib) in tables.items():
            print(f"table {name:22} build {seconds:6.1f} CPU s  {mib:7.1f} MiB")
        for name, cost in calls.items():
            print(f"{name:28} {cost.median_ms:7.3f} ms  p99 {cost.p99_ms:7.3f} ms")


if __name__ == "__main__":
    main()
