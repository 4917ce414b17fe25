"""What each recall channel costs over synthetic logs of growing catalogues: its build, its tables, a request.

Shoppers take items drawn by Zipf's law, most of them of a few categories of their own. Every channel is built
by its own `build`, opened over what it wrote, and asked by shoppers of the log; channels of a model ask its
network with drawn weights, in every form that it has (`benchmarks.channel_models`). Printed are seconds of
the CPU for the build, MiB of the tables (memory-mapped), and milliseconds of the thread's processor time of a
request for 300 items (median, 99th percentile), the model's call within it, so that other work on the machine
does not count; of a model, those of its graph: the export, its size, a call. `implicit` does the jobs of
`matrix_factors` (ALS, folded in) and `item_knn` (cosine of items) on the same interactions.

Run `python -m benchmarks.channel_costs [--items 100000 1000000] [--events 2000000] [--channels hot again …]`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.channel_models import FORMS, ServedNetwork, served_network
from benchmarks.visit_lookup import drawn_items
from features.history import history_inputs
from models.contracts import contract
from recall.channel import BuildSource, NothingToRecall, Services
from recall.interactions import interactions_of
from recall.query import Query
from recall.registry import CHANNELS
from recall.triggers import select_triggers
from router.query_features.read import default_features
from router.query_features.registry import QUERY_FEATURES
from snapshot.catalogue import Catalogue
from snapshot.catalogue_writer import write_catalogue
from snapshot.event_codes import PURCHASE, VIEW
from snapshot.item_columns import ITEM_COLUMNS

NOW, DAY_S = 1_700_000_000, 86_400
ASKED, DIMENSIONS = 300, 64
NEEDS_MORE = ("similar_look", "outfit", "alert_picks", "context", "query_intent")
"""Channels that need pictures, outfits, alerts or searches, which these logs lack."""


@dataclass(frozen=True)
class Cost:
    """Seconds of the CPU for the build, MiB of the tables, milliseconds of the CPU of a request."""

    build_s: float
    mib: float
    request_ms: float
    p99_ms: float


def synthetic_catalogue(folder: Path, items: int, random: np.random.Generator) -> Catalogue:
    """Items in categories of about a thousand and brands of about a hundred, created within two years."""
    columns: dict[str, Any] = {
        name: [""] * (items + 1) if column.kind == "text" else np.zeros(items + 1, column.dtype)
        for name, column in ITEM_COLUMNS.items()
    }
    counts = {"category": max(items // 1_000, 2), "brand": max(items // 100, 2)}
    for name, count in counts.items():
        columns[name][1:] = random.integers(1, count + 1, items)
    columns["in_stock"][1:] = True
    columns["created_at"][1:] = NOW - random.integers(0, 730 * DAY_S, items)
    names = {name: [f"{name} {code}" for code in range(1, count + 1)] for name, count in counts.items()}
    write_catalogue(folder, [f"i{item}" for item in range(items)], columns, names, {})
    return Catalogue.open(folder)


def synthetic_log(catalogue: Catalogue, events: int, random: np.random.Generator) -> pl.DataFrame:
    """About 50 events of each shopper within a year, most of the shopper's own categories."""
    shoppers = max(events // 50, 1)
    user = np.sort(random.integers(1, shoppers + 1, events)).astype(np.int32)
    item = drawn_items(random, events, catalogue.size)
    by_category = np.argsort(catalogue.category, kind="stable").astype(np.int32)
    starts = np.searchsorted(catalogue.category[by_category], np.arange(catalogue.category_count + 2))
    own = random.integers(1, catalogue.category_count + 1, (shoppers + 1, 3))
    category = own[user, random.integers(0, 3, events)]
    length = starts[category + 1] - starts[category]
    # The square of a uniform number leans to the first of a category.
    within = by_category[starts[category] + (random.random(events) ** 2 * length).astype(np.int64)]
    item = np.where((random.random(events) < 0.7) & (length > 0), within, item)
    kind = np.where(random.random(events) < 0.3, PURCHASE, VIEW).astype(np.uint8)
    ts = NOW - random.integers(0, 365 * DAY_S, events)
    return pl.DataFrame({"user": user, "item": item, "event": kind, "ts": ts}).sort("user", "ts")


def queries_of(log: pl.DataFrame, count: int, random: np.random.Generator) -> list[Query]:
    """Queries of shoppers drawn from the log, with their latest 50 events."""
    user = log["user"].to_numpy()
    queries = []
    for shopper in random.choice(np.unique(user), count, replace=False).tolist():
        begin, end = np.searchsorted(user, [shopper, shopper + 1])
        own = log[int(begin) : int(end)].tail(50).reverse()
        items, events, ts = (own[name].to_numpy() for name in ("item", "event", "ts"))
        triggers, weights = select_triggers(items, events, ts, NOW)
        bought = events == PURCHASE
        queries.append(
            Query(
                scene="home",
                now=NOW,
                user_id=f"u{shopper}",
                history_items=items,
                history_events=events,
                history_ts=ts,
                triggers=triggers,
                trigger_weights=weights,
                purchased_items=items[bought],
                purchased_ts=ts[bought],
                features=default_features(QUERY_FEATURES),
            )
        )
    return queries


async def _unasked(query: Query, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    raise RuntimeError("a channel without models asked one")


NO_MODELS = Services(lambda model: _unasked)
"""For channels without models."""


def cost_of(
    name: str, source: BuildSource, folder: Path, services: Services, queries: Sequence[Query]
) -> Cost | None:
    """Builds, opens and asks one channel; None where the log has nothing for it."""
    kind = CHANNELS[name]
    settings = kind.settings(enabled=True)
    folder.mkdir(parents=True)
    began = time.process_time()
    try:
        kind.build(source, folder, settings)
    except NothingToRecall as reason:
        print(f"{name}: {reason}")
        return None
    built = time.process_time() - began
    channel = kind.open(folder, source.catalogue, services, settings)

    async def ask() -> list[float]:
        took = []
        for query in queries:
            start = time.thread_time()
            await channel.recall(query, ASKED)
            took.append(time.thread_time() - start)
        return took

    # The first pass maps the pages of the files.
    asyncio.run(ask())
    return _cost(
        built,
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20,
        asyncio.run(ask()),
    )


def call_cost(network: ServedNetwork, model: str, queries: Sequence[Query]) -> Cost:
    """Of a network's graph: its export, its size, and a call for one shopper."""
    wanted = [tensor.name for tensor in contract(model).tensors.inputs]
    took = []
    for query in queries:
        encoded = history_inputs(query.history_items, query.history_events, query.history_ts, query.now)
        inputs = {name: encoded[name] for name in wanted}
        start = time.thread_time()
        network.run(inputs)
        took.append(time.thread_time() - start)
    return _cost(network.export_s, network.mib, took)


def modelled_costs(
    names: Sequence[str], source: BuildSource, folder: Path, queries: Sequence[Query]
) -> Iterator[tuple[str, Cost | None]]:
    """Rows of every form of each model that the channels ask: of its graph, then of these channels."""
    for model, forms in FORMS.items():
        channels = [name for name in names if model in CHANNELS[name].models]
        for form in forms if channels else ():
            network = served_network(form, source.catalogue, folder / form / "graph", source.seed)
            yield f"graph {form}", call_cost(network, model, queries)
            own = replace(source, vectors={model: network.vectors})
            for name in channels:
                label = name if form == forms[0] else f"{name}, {form}"
                yield label, cost_of(name, own, folder / form / name, network.services(), queries)


def _cost(built: float, mib: float, took: Sequence[float]) -> Cost:
    return Cost(built, mib, float(np.median(took) * 1e3), float(np.quantile(took, 0.99) * 1e3))


def peers(source: BuildSource, queries: Sequence[Query]) -> dict[str, Cost]:
    """What `implicit` takes for the same jobs; nothing where it is not installed."""
    try:
        from implicit.cpu.als import AlternatingLeastSquares
        from implicit.nearest_neighbours import CosineRecommender
    except ImportError:
        return {}
    taken = interactions_of(source)
    size = source.catalogue.size + 1
    matrix = sp.csr_matrix(
        (np.ones(taken.user.size, np.float32), (taken.user, taken.item)), (int(taken.user.max()) + 1, size)
    )
    costs = {}
    models: dict[str, Callable[[], Any]] = {
        "implicit ALS": lambda: AlternatingLeastSquares(
            factors=DIMENSIONS, iterations=15, num_threads=1, random_state=1
        ),
        "implicit cosine": lambda: CosineRecommender(K=200, num_threads=1),
    }
    for name, make in models.items():
        model = make()
        began = time.process_time()
        model.fit(matrix, show_progress=False)
        built = time.process_time() - began
        took = []
        for query in queries:
            rows = np.zeros(query.history_items.size, np.int64)
            row = sp.csr_matrix((np.ones(rows.size, np.float32), (rows, query.history_items)), (1, size))
            start = time.thread_time()
            model.recommend(
                0, row, N=ASKED, filter_already_liked_items=False, recalculate_user=name.endswith("ALS")
            )
            took.append(time.thread_time() - start)
        held = (
            model.item_factors.nbytes + model.user_factors.nbytes
            if name.endswith("ALS")
            else model.similarity.data.nbytes + model.similarity.indices.nbytes
        )
        costs[name] = _cost(built, held / 2**20, took)
    return costs


def main() -> None:
    """Prints a table for each size of the catalogue."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [name for name in CHANNELS if name not in NEEDS_MORE]
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--channels", nargs="+", choices=names, default=names)
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for items in options.items:
        random = np.random.default_rng(options.seed)
        with tempfile.TemporaryDirectory() as scratch:
            catalogue = synthetic_catalogue(Path(scratch) / "catalogue", items, random)
            log = synthetic_log(catalogue, options.events, random)
            users = pl.DataFrame(
                {"user": [1], "user_id": ["u1"]}, schema={"user": pl.Int32, "user_id": pl.String}
            )
            source = BuildSource(log, users, catalogue, NOW, {}, options.seed)
            queries = queries_of(log, options.requests, random)
            print(f"{items:,} items, {log.height:,} events", flush=True)
            for name in options.channels:
                if not CHANNELS[name].models:
                    _show(name, cost_of(name, source, Path(scratch) / name, NO_MODELS, queries))
            for row, cost in modelled_costs(options.channels, source, Path(scratch) / "models", queries):
                _show(row, cost)
            if options.peers:
                for row, cost in peers(source, queries).items():
                    _show(row, cost)


def _show(name: str, cost: Cost | None) -> None:
    if cost is not None:
        print(
            f"{name:28} build {cost.build_s:7.1f} CPU s  {cost.mib:8.1f} MiB  "
            f"request {cost.request_ms:7.3f} ms  p99 {cost.p99_ms:7.3f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
