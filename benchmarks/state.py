"""Measures user state: reads, durable appends against a peer, and a whole ReportEvents.

The peer is the same store told to commit every event by itself, so the ratio shows what group commit gives.
Both are measured in turns on the same disk.

Run `python -m benchmarks.state [--seconds 4] [--json build/benchmarks/state.json]`.
"""

import argparse
import asyncio
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

import numpy as np

from protos.shopfront.v1.event_pb2 import Event, EventType, ReportEventsRequest
from router.attribution import Attribution, AttributionCodec
from router.events import report_events
from router.state import EventBatch, StateSettings, open_state
from router.state.store import StateStore
from snapshot.durable_files import write_durably
from snapshot.event_codes import EVENT_CODES, PURCHASE, VIEW

CONCURRENCY = (1, 8, 32)
ROUNDS = 8
USERS = 500


class EveryItem:
    """A catalogue that knows every item."""

    def dense_from_keys(self, keys: np.ndarray) -> np.ndarray:
        """Index 1 for each key, int32[n]."""
        return np.ones(len(keys), dtype=np.int32)


def percentiles_us(seconds: list[float]) -> dict[str, float]:
    """Median and 99th percentile in microseconds."""
    return {
        "p50_us": round(float(np.percentile(seconds, 50)) * 1e6, 1),
        "p99_us": round(float(np.percentile(seconds, 99)) * 1e6, 1),
    }


def repeat_for(seconds: float, work: Callable[[], object]) -> list[float]:
    """Calls `work` again and again; the seconds each call took."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        work()
        taken.append(time.perf_counter() - began)
    return taken


async def fill(store: StateStore, user: str, count: int, event: int) -> None:
    """Gives a user `count` events, a thousand a batch."""
    now = int(time.time() * 1000)
    for start in range(0, count, 1_000):
        rows = range(start, min(start + 1_000, count))
        await store.append(
            EventBatch.build(
                [user] * len(rows), [f"i{n}" for n in rows], [event] * len(rows), [now + n for n in rows], now
            )
        )


async def measure_reads(store: StateStore, seconds: float) -> dict[str, dict[str, float]]:
    """Reads of an unknown user, of one with 50 views and of one whose every record is full."""
    await fill(store, "usual", 50, VIEW)
    await fill(store, "full", 2_000, PURCHASE)
    await fill(store, "full", 500, EVENT_CODES["impression"])
    return {
        user: percentiles_us(repeat_for(seconds / 3, partial(store.read, user)))
        for user in ("unknown", "usual", "full")
    }


async def appends_per_second(store: StateStore, concurrency: int, seconds: float) -> float:
    """Durable events per second with so many callers, each waiting for its event."""
    now = int(time.time() * 1000)
    done = 0
    began = time.perf_counter()

    async def caller(number: int) -> None:
        nonlocal done
        sent = 0
        while time.perf_counter() - began < seconds:
            user = f"u{(number + sent * concurrency) % USERS}"
            await store.append(
                EventBatch.build(
                    [user], [f"i{sent}"], [VIEW], [now], now, event_ids=[f"{number}-{sent}-{began}"]
                )
            )
            sent += 1
        done += sent

    await asyncio.gather(*[caller(number) for number in range(concurrency)])
    return done / (time.perf_counter() - began)


async def measure_appends(grouped: StateStore, single: StateStore, seconds: float) -> list[dict[str, float]]:
    """Both stores at each concurrency, in turns; medians over the rounds."""
    rows: list[dict[str, float]] = []
    for concurrency in CONCURRENCY:
        group: list[float] = []
        peer: list[float] = []
        for _ in range(ROUNDS):
            group.append(await appends_per_second(grouped, concurrency, seconds / ROUNDS))
            peer.append(await appends_per_second(single, concurrency, seconds / ROUNDS))
        rows.append(
            {
                "concurrency": concurrency,
                "group_commit_per_s": round(median(group)),
                "one_per_event_per_s": round(median(peer)),
                "ratio": round(
                    median(of_group / of_peer for of_group, of_peer in zip(group, peer, strict=True)), 2
                ),
            }
        )
    return rows


async def measure_report(store: StateStore) -> dict[str, float]:
    """One ReportEvents of 1,000 events of 500 users, checked, stored durably and answered; median of ten."""
    codec = AttributionCodec([b"benchmark-secret"])
    token = codec.encode(
        Attribution("0f" * 16, "home", "snapshot", "bst", "1", {"exp": "control"}, int(time.time()))
    )
    taken = []
    for part in range(10):
        request = ReportEventsRequest(
            events=[
                Event(
                    user_id=f"u{n % USERS}",
                    item_id=f"i{n}",
                    type=EventType.Name(2 + n % 4),
                    scene="home",
                    position=1 + n % 20,
                    attribution_token=token,
                    event_id=f"report-{part}-{n}",
                    session_id=f"s{n % USERS}",
                )
                for n in range(1_000)
            ]
        )
        began = time.perf_counter()
        answer = await report_events(request, store, EveryItem(), time.time, codec)
        taken.append(time.perf_counter() - began)
        if answer.accepted != 1_000:
            raise RuntimeError(f"{answer.accepted} of 1,000 events were accepted: {answer.errors[:1]}")
    return {"events": 1_000, "median_ms": round(median(taken) * 1e3, 1)}


async def measure(scratch: Path, seconds: float) -> dict[str, Any]:
    """All figures, with stores in fresh folders below `scratch`."""
    grouped = open_state(StateSettings(url=f"lmdb://{scratch}/grouped"))
    single = open_state(StateSettings(url=f"lmdb://{scratch}/single", max_group_events=1))
    try:
        return {
            "read": await measure_reads(grouped, seconds),
            "append": await measure_appends(grouped, single, seconds),
            "report_events": await measure_report(grouped),
        }
    finally:
        grouped.close()
        single.close()


def main() -> None:
    """Measure, print a table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds per figure")
    parser.add_argument(
        "--json", type=Path, default=Path("build/benchmarks/state.json"), help="where to write"
    )
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    # The stores lie beside the report, not in /tmp, which may be memory and then measures no disk.
    scratch = Path(mkdtemp(prefix="state-", dir=options.json.parent)).resolve()
    try:
        figures = asyncio.run(measure(scratch, options.seconds))
    finally:
        shutil.rmtree(scratch)
    write_durably(options.json, json.dumps(figures, indent=2).encode())

    for user, row in figures["read"].items():
        print(f"read, {user:8} user  p50 {row['p50_us']:7.1f} µs   p99 {row['p99_us']:7.1f} µs")
    for row in figures["append"]:
        print(
            f"append, {row['concurrency']:2} callers  {row['group_commit_per_s']:7,} /s   "
            f"one transaction per event {row['one_per_event_per_s']:7,} /s   ratio {row['ratio']:.2f}"
        )
    print(f"ReportEvents of 1,000 events  {figures['report_events']['median_ms']:.1f} ms")


if __name__ == "__main__":
    main()
