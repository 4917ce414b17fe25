"""Measures the learner's memory while it follows a long log, which another process writes.

The writer stays some chunks ahead and the log keeps `--kept` events, so that neither disk nor memory grows
with the length. Once tables and windows are full, memory must not grow any more: the last column of the
result is the largest minus the smallest memory after the first fifth.

Run `python -m benchmarks.learning_memory [--events 10000000] [--json build/benchmarks/learning_memory.json]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.settings import LearningSettings
from learning.stream.shop_facts import ShopFacts
from snapshot.durable_files import write_durably
from state import EventBatch, StateSettings, open_state
from state.logged_event import LoggedEvent
from state.published import read_live_manifest
from state.store import StateStore
from testing.browsing_log import CODEC, browsing_log
from testing.served_shop import SCENES, ServedShop
from testing.synthetic_shop import synthetic_dataset

CHUNK = 50_000
AHEAD = 4
ROUND = 250_000
SHOPPERS = 20_000


def main() -> None:
    """Measures, prints, and writes JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000, help="events of the log")
    parser.add_argument("--kept", type=int, default=500_000, help="events that the log keeps")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    options = parser.parse_args()
    folder = Path(mkdtemp(prefix="learning-memory-"))
    try:
        rows = measure(folder, options.events, options.kept)
    finally:
        shutil.rmtree(folder)
    full = [mib for events, mib, _, _ in rows if events >= options.events / 5]
    spread = max(full) - min(full)
    print(f"memory after the first fifth: {min(full):.0f} to {max(full):.0f} MiB, spread {spread:.0f} MiB")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        names = ("events", "rss_mib", "rows", "events_per_cpu_second")
        report = [dict(zip(names, row, strict=True)) for row in rows]
        write_durably(options.json, json.dumps(report, indent=2).encode())


def measure(folder: Path, count: int, kept: int) -> list[tuple[int, float, int, float]]:
    """Events, MiB of memory, rows of all tables and events a processor second, about 40 times."""
    shop = ServedShop(folder, synthetic_dataset(folder, users=100, items=5_000, events=10_000, seed=3))
    shop.scenes.write_text(SCENES)
    shop.publish()
    catalogue = shop.dataset.catalogue
    state = StateSettings(url=f"lmdb://{folder / 'state'}", sync=False, log_max_events=kept)
    store = open_state(state)
    settings = LearningSettings(folder=folder / "learning")
    learner = Learner(
        settings,
        store,
        "benchmark",
        CODEC,
        ShopFacts(folder / "snapshots", shop.scenes),
        LearnerMetrics(ProcessMetrics()),
    )
    writer = multiprocessing.get_context("spawn").Process(
        target=write, args=(state, settings.folder, catalogue.item_ids(catalogue.key_items), count)
    )
    writer.start()
    rows: list[tuple[int, float, int, float]] = []
    published, checkpointed, taken_s = 0, 0, 0.0
    try:
        while learner.state.seq < count:
            began = time.process_time()
            read = learner.step()
            taken_s += time.process_time() - began
            if learner.state.events >= published + CHUNK:
                published = learner.state.events
                learner.publish_model()
                learner.publish()
            if learner.state.events >= checkpointed + 5 * CHUNK:
                checkpointed = learner.state.events
                learner.checkpoint()
            if learner.state.events >= (len(rows) + 1) * count // 40:
                rate = learner.state.events / taken_s
                rows.append((learner.state.events, _memory_mib(), sum(learner.state.rows.values()), rate))
                print(
                    "{:>12,} events {:>8.0f} MiB {:>10,} rows {:>8,.0f} events/s".format(*rows[-1]),
                    flush=True,
                )
            if not read:
                if not writer.is_alive() and learner.state.seq < count:
                    raise RuntimeError("the writer has ended too early")
                time.sleep(0.05)
    finally:
        writer.terminate()
        writer.join()
        learner.close()
        store.close()
    return rows


def write(state: StateSettings, learning: Path, item_ids: list[str], count: int) -> None:
    """Appends the log in chunks, not more than some ahead of the learner.

    One log is repeated, later each time: no window of the learner has two of its rounds, and its tokens stay
    valid for a week, in which some 10 million events fit.
    """
    store = open_state(state)
    base = browsing_log(item_ids, ROUND, 1, shoppers=SHOPPERS, longest_wait_s=1)[:ROUND]
    round_ms = base[-1].arrived_ms - base[0].arrived_ms + 60_000
    for begin in range(0, count, CHUNK):
        while begin - _read(learning) > AHEAD * CHUNK:
            time.sleep(0.05)
        later_ms = begin // ROUND * round_ms
        at = begin % ROUND
        events = [
            msgspec.structs.replace(
                event, arrived_ms=event.arrived_ms + later_ms, timestamp_ms=event.timestamp_ms + later_ms
            )
            for event in base[at : at + min(CHUNK, count - begin)]
        ]
        asyncio.run(_append(store, events))
    store.close()


async def _append(store: StateStore, events: list[LoggedEvent]) -> None:
    for begin in range(0, len(events), 1_000):
        await store.append(EventBatch.of(events[begin : begin + 1_000]))


def _read(learning: Path) -> int:
    manifest = read_live_manifest(learning)
    return 0 if manifest is None else manifest.seq


def _memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
