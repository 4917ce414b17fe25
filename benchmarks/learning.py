"""Measures the learner: events a second on one core, and live columns for the candidates of a request.

A log of pages that shoppers see and click is written into LMDB, and read from its beginning as
`shopfront learn` does. Then the scorer `live` is asked for candidates over the counters that this made. Times
are those of the processor, so that other work on the machine counts less.

Run `python -m benchmarks.learning [--events 200000] [--items 50000] [--json build/benchmarks/learning.json]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import time
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.settings import LearningSettings
from learning.stream.shop_facts import ShopFacts
from pipeline.candidates import unscored
from recall.query import Query
from router.ranking.live import FEATURE, LiveSettings, open_scorer
from router.ranking.scorer_kind import ScorerContext
from snapshot.catalogue import Catalogue
from snapshot.durable_files import write_durably
from state import EventBatch, StateSettings, open_state
from state.logged_event import LoggedEvent
from state.published import LiveFolder
from state.store import StateStore
from testing.browsing_log import CODEC, START_S, browsing_log
from testing.served_shop import SCENES, ServedShop
from testing.synthetic_shop import synthetic_dataset

CANDIDATES = 300
REQUESTS = 500


def main() -> None:
    """Measures, prints, and writes JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000, help="events of the log")
    parser.add_argument("--items", type=int, default=5_000, help="items of the catalogue")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    options = parser.parse_args()
    folder = Path(mkdtemp(prefix="learning-"))
    try:
        result = measure(folder, options.events, options.items)
    finally:
        shutil.rmtree(folder)
    for name, value in result.items():
        print(f"{name:<28}{value:>14,.4g}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_durably(options.json, json.dumps(result, indent=2).encode())


def measure(folder: Path, count: int, items: int) -> dict[str, float]:
    """The figures by name; `folder` is written to."""
    shop = ServedShop(
        folder, synthetic_dataset(folder, users=100, items=items, events=max(6_000, 2 * items), seed=3)
    )
    shop.scenes.write_text(SCENES)
    shop.publish()
    catalogue = shop.dataset.catalogue
    events = browsing_log(catalogue.item_ids(catalogue.key_items), count, seed=1)
    store = open_state(StateSettings(url=f"lmdb://{folder / 'state'}", sync=False))
    _append(store, events)
    learner = Learner(
        LearningSettings(folder=folder / "learning"),
        store,
        "benchmark",
        CODEC,
        ShopFacts(folder / "snapshots", shop.scenes),
        LearnerMetrics(ProcessMetrics()),
    )
    began = time.process_time()
    while learner.step():
        pass
    taken_s = time.process_time() - began
    rows = sum(learner.state.rows.values())
    began = time.perf_counter()
    learner.checkpoint()
    checkpoint_s = time.perf_counter() - began
    replica = LiveFolder(folder / "learning")
    replica.look()
    took_us = asyncio.run(_scored(replica, catalogue))
    learner.close()
    store.close()
    return {
        "events": float(len(events)),
        "events_per_cpu_second": len(events) / taken_s,
        "samples": float(learner.state.learned),
        "rows": float(rows),
        "checkpoint_ms": checkpoint_s * 1e3,
        f"live_{CANDIDATES}_p50_us": float(np.percentile(took_us, 50)),
        f"live_{CANDIDATES}_p99_us": float(np.percentile(took_us, 99)),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _append(store: StateStore, events: list[LoggedEvent]) -> None:
    async def work() -> None:
        for at in range(0, len(events), 1_000):
            await store.append(EventBatch.of(events[at : at + 1_000]))

    asyncio.run(work())


async def _scored(replica: LiveFolder, catalogue: Catalogue) -> list[float]:
    """Microseconds of processor time of each request for all live columns of 300 candidates."""
    scorer = open_scorer(ScorerContext(catalogue, {}), LiveSettings())
    random = np.random.default_rng(1)
    now = START_S + 3_600
    taken = []
    for _ in range(REQUESTS):
        chosen = random.choice(catalogue.size, min(CANDIDATES, catalogue.size), replace=False) + 1
        found = unscored(
            chosen.astype(np.int32),
            np.ones(chosen.size, np.uint32),
            np.zeros(chosen.size, np.float32),
            np.zeros(chosen.size, np.int32),
        )
        query = replace(
            Query(scene="home", now=now, user_id=f"u{random.integers(200)}"),
            features={FEATURE: replica.current.counters},
        )
        began = time.thread_time()
        await scorer.score(query, found)
        taken.append((time.thread_time() - began) * 1e6)
    return taken


if __name__ == "__main__":
    main()
