"""Measures the learner's memory while it reads a long log.

The log is one of 250,000 events, repeated and later each time, so that nothing but the learner grows. Once
tables and windows are full, memory must not grow any more.

Run `python -m benchmarks.learning_memory [--events 10000000] [--json build/benchmarks/learning_memory.json]`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import cast

import msgspec

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.settings import LearningSettings
from learning.stream.shop_facts import ShopFacts
from snapshot.durable_files import write_durably
from state.logged_event import LoggedEvent
from state.store import StateStore
from testing.browsing_log import CODEC, browsing_log
from testing.served_shop import SCENES, ServedShop
from testing.synthetic_shop import synthetic_dataset

ROUND = 250_000
SHOPPERS = 20_000
PUBLISHED, CHECKPOINTED = 50_000, 250_000
"""Events between two versions that are published, and between two checkpoints."""


def main() -> None:
    """Measures, prints, and writes JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000, help="events of the log")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    options = parser.parse_args()
    folder = Path(mkdtemp(prefix="learning-memory-"))
    try:
        rows = measure(folder, options.events)
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


def measure(folder: Path, count: int) -> list[tuple[int, float, int, float]]:
    """Events, MiB of memory, rows of all tables and events a processor second, about 40 times."""
    shop = ServedShop(folder, synthetic_dataset(folder, users=100, items=5_000, events=10_000, seed=3))
    shop.scenes.write_text(SCENES)
    shop.publish()
    catalogue = shop.dataset.catalogue
    log = browsing_log(catalogue.item_ids(catalogue.key_items), ROUND, 1, shoppers=SHOPPERS, longest_wait_s=1)
    learner = Learner(
        LearningSettings(folder=folder / "learning"),
        # It reads the log and asks for deletions, and nothing else.
        cast(StateStore, RepeatedLog(log[:ROUND], count)),
        "benchmark",
        CODEC,
        ShopFacts(folder / "snapshots", shop.scenes),
        LearnerMetrics(ProcessMetrics()),
    )
    rows: list[tuple[int, float, int, float]] = []
    published = checkpointed = 0
    began = time.process_time()
    while learner.step():
        if learner.state.events >= published + PUBLISHED:
            published = learner.state.events
            learner.publish_model()
            learner.publish()
        if learner.state.events >= checkpointed + CHECKPOINTED:
            checkpointed = learner.state.events
            learner.checkpoint()
        if learner.state.events >= (len(rows) + 1) * count // 40:
            rate = learner.state.events / (time.process_time() - began)
            rows.append((learner.state.events, _memory_mib(), sum(learner.state.rows.values()), rate))
            line = "{:>12,} events {:>8.0f} MiB {:>10,} rows {:>8,.0f} events/s"
            print(line.format(*rows[-1]), flush=True)
    learner.close()
    return rows


class RepeatedLog:
    """The event log of a store that has nothing else: one log, repeated and later each time.

    No window of the learner has two rounds, so that all events are new to it; and the tokens stay valid for a
    week, in which some 10 million events fit.
    """

    def __init__(self, log: Sequence[LoggedEvent], count: int) -> None:
        """`count`: events of all rounds together."""
        self._log = log
        self._count = count
        self._round_ms = log[-1].arrived_ms - log[0].arrived_ms + 60_000

    def read_log(self, after_seq: int = 0, limit: int | None = None) -> Iterator[tuple[int, LoggedEvent]]:
        """As `StateStore.read_log`."""
        last = self._count if limit is None else min(self._count, after_seq + limit)
        for at in range(after_seq, last):
            event = self._log[at % len(self._log)]
            later_ms = at // len(self._log) * self._round_ms
            yield (
                at + 1,
                msgspec.structs.replace(
                    event, arrived_ms=event.arrived_ms + later_ms, timestamp_ms=event.timestamp_ms + later_ms
                ),
            )

    def erasures_revision(self) -> int:
        """No shopper was deleted."""
        return 0

    def unfinished_erasures(self) -> list[str]:
        """Likewise."""
        return []


def _memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
