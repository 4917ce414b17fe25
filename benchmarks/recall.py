"""Each recall channel: recall@50 and @200 on real logs, and its time against plain-Python dictionaries.

Tables are built from before a data set's test cut; the targets are the distinct items a shopper takes after
it. `new` counts only targets the shopper never took before. Every channel is then timed in turns with a
peer that gives the same answer from dictionaries and lists; the two answers are compared first. MIND is
timed over seeded random vectors, for its time does not depend on their values; its recall needs a trained
model and is in `shopfront evaluate`.

Run `python -m benchmarks.recall [--data sample taobao] [--users 500] [--seed 0]
[--json build/benchmarks/recall.json]`. Data sets are ingested once into `build/benchmarks/recall/`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.public_data import TAOBAO, dataset_of
from benchmarks.recall_peers import PEERS, Peer
from evaluation.queries import TestShopper, test_shoppers
from evaluation.recall_table import measure
from models.interaction_log import InteractionLog
from recall import mind
from recall.build import build_channels, only, open_channels
from recall.channel import BuildSource, Channel, Recalled, Services
from recall.query import Query
from recall.settings import RecallSettings
from router.fusion.quota import fuse
from snapshot.dataset import Dataset
from snapshot.durable_files import write_durably

SHARES = {"again": 0.6, "ranki2i": 0.2, "category_hot": 0.1, "hot": 0.1}
WITHOUT_PEER = frozenset({"context", "outfit", "similar_look"})
"""Channels of every shop that recall nothing of these logs: they wait for searches, outfits or pictures."""
CUTS = (50, 200)
BUDGET = 200
DIMENSIONS, INTERESTS = 32, 4


def random_vectors(items: int, seed: int) -> np.ndarray:
    """Unit vectors float32[items + 1, DIMENSIONS], row 0 zero."""
    vectors = np.random.default_rng(seed).normal(size=(items + 1, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return vectors


def services_over(vectors: np.ndarray) -> Services:
    """A stand-in for the embedding model: a shopper's interests are the vectors of the latest items."""

    async def interests_of(query: Query, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        interests = np.zeros((1, INTERESTS, vectors.shape[1]), np.float32)
        latest = query.history_items[:INTERESTS]
        interests[0, : len(latest)] = vectors[latest]
        return {"interests": interests}

    return Services(lambda name: interests_of)


async def ask(channel: Channel, shoppers: Sequence[TestShopper]) -> list[Recalled]:
    """One answer per shopper at the budget."""
    return [await channel.recall(shopper.query, BUDGET) for shopper in shoppers]


def recall_of(shoppers: Sequence[TestShopper], items: Sequence[np.ndarray]) -> dict[str, float]:
    """recall@k for each of CUTS, over all targets and over new ones."""
    columns = measure(shoppers, items, CUTS)
    return {
        f"{prefix}recall@{k}": round(columns[f"{prefix}recall@{k}"], 4)
        for prefix in ("", "new_")
        for k in CUTS
    }


def agree(ours: Recalled, peer: list[tuple[int, float]]) -> bool:
    """Whether two answers are the same, up to the order of equal scores and rounding."""
    if len(ours.items) != len(peer):
        return False
    scores = np.array([score for _, score in peer])
    if not np.allclose(ours.scores, scores, rtol=1e-4, atol=1e-6):
        return False
    if len(peer) < BUDGET:
        return set(ours.items.tolist()) == {item for item, _ in peer}
    # At the budget's edge equal scores may take each other's place.
    edge = scores[-1] * (1 + 1e-4) + 1e-6
    clear = {item for item, score in peer if score > edge}
    return clear <= set(ours.items.tolist())


async def seconds_of(channel: Channel, query: Query) -> float:
    """How long one answer at the budget takes."""
    start = time.perf_counter()
    await channel.recall(query, BUDGET)
    return time.perf_counter() - start


def against(channel: Channel, peer: Peer, shoppers: Sequence[TestShopper]) -> dict[str, float]:
    """Medians over the shoppers, ours and the peer's in turns, in microseconds, and their ratio.

    Raises AssertionError where the two disagree.
    """
    ours, others = [], []
    loop = asyncio.new_event_loop()
    try:
        for shopper in shoppers:
            query = shopper.query
            answer = loop.run_until_complete(channel.recall(query, BUDGET))
            if not agree(answer, peer(query, BUDGET)):
                raise AssertionError(f"{channel.name} and its peer disagree on shopper {query.user_id}")

            ours.append(loop.run_until_complete(seconds_of(channel, query)))
            start = time.perf_counter()
            peer(query, BUDGET)
            others.append(time.perf_counter() - start)
    finally:
        loop.close()
    return {
        "microseconds": round(median(ours) * 1e6, 1),
        "p99_microseconds": round(float(np.quantile(ours, 0.99)) * 1e6, 1),
        "peer_microseconds": round(median(others) * 1e6, 1),
        "ratio": round(median(ours) / median(others), 4),
    }


def measure_dataset(dataset: Dataset, users: int, seed: int, folder: Path) -> dict[str, Any]:
    """Build seconds, recall and time of every channel, and the recall of their fusion."""
    cuts, catalogue = dataset.manifest.cuts, dataset.catalogue
    shoppers = test_shoppers(
        InteractionLog.from_dataset(dataset),
        dataset.users(),
        cuts.test_from,
        users,
        RecallSettings().triggers,
        np.random.default_rng(seed),
    )
    vectors = random_vectors(catalogue.size, seed)
    source = BuildSource(
        dataset.events().collect(), dataset.users(), catalogue, cuts.test_from - 1, {"mind": vectors}, seed
    )
    # The peer of MIND compares every vector; from 20,000 items on the index probes a part of them.
    settings = only(RecallSettings.model_validate({mind.NAME: {"index": "flat"}}), PEERS)
    started: dict[str, float] = {}

    def note(stage: str, _: float) -> None:
        started[stage] = time.perf_counter()

    rows = build_channels(source, folder, settings, note)
    moments = list(started.values())
    channels = open_channels(folder, catalogue, services_over(vectors), settings)
    answers = {name: asyncio.run(ask(channel, shoppers)) for name, channel in channels.items()}

    table: dict[str, Any] = {}
    for at, (name, channel) in enumerate(channels.items()):
        table[name] = {
            "entries": rows[name],
            "build_seconds": round(moments[at + 1] - moments[at], 2),
            **against(channel, PEERS[name](channel), shoppers),
        }
        if name != mind.NAME:
            table[name] |= recall_of(shoppers, [answer.items for answer in answers[name]])
    names = list(SHARES)
    shares = np.array(list(SHARES.values()))
    fused = [
        np.asarray(fuse([answers[name][at] for name in names], shares, BUDGET).items)
        for at in range(len(shoppers))
    ]
    return {
        "shoppers": len(shoppers),
        "items": catalogue.size,
        "shares": SHARES,
        "channels": table,
        "fused": recall_of(shoppers, fused),
    }


def print_table(name: str, result: dict[str, Any]) -> None:
    """One line per channel and one for their fusion."""
    print(f"{name}: {result['shoppers']} shoppers, {result['items']} items")
    columns = [f"{prefix}recall@{k}" for prefix in ("", "new_") for k in CUTS]
    print(f"{'':14}" + "".join(f"{column:>16}" for column in (*columns, "build s", "µs", "peer µs", "ratio")))
    for channel, row in (*result["channels"].items(), ("fused", result["fused"])):
        cells = [
            row.get(key, "")
            for key in (*columns, "build_seconds", "microseconds", "peer_microseconds", "ratio")
        ]
        print(f"{channel:14}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    """Measures each data set, prints the tables and writes them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=("sample", "taobao"), default=["sample", "taobao"])
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/recall.json"))
    options = parser.parse_args()
    results: dict[str, Any] = {}
    workspace = options.json.parent / "recall"
    for name in options.data:
        dataset = dataset_of(name, workspace, options.seed)
        if dataset is None:
            results[name] = {"skipped": f"{TAOBAO} is absent"}
            print(f"{name}: skipped, {TAOBAO} is absent")
            continue
        folder = Path(tempfile.mkdtemp(prefix="tables-", dir=workspace))
        try:
            results[name] = measure_dataset(dataset, options.users, options.seed, folder)
        finally:
            shutil.rmtree(folder)
        print_table(name, results[name])
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps(results, indent=2).encode())


if __name__ == "__main__":
    main()
