"""Measures user state: reads, durable appends against a peer, and a whole ReportEvents.

The peer is the same store told to commit every event by itself, so the ratio shows what group commit gives.
Both are measured in turns on the same disk. Where a Redis server is named, it is measured beside LMDB in the
same turns, under a prefix of its own; with `appendfsync always` both wait for the same kind of flush.

Run `python -m benchmarks.state [--seconds 4] [--redis redis://127.0.0.1:6379] [--json
build/benchmarks/state.json]`.
"""

import argparse
import asyncio
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

import numpy as np

from protos.shopfront.v1.event_pb2 import Event, EventType, ReportEventsRequest
from router.events import report_events
from snapshot.durable_files import write_durably
from snapshot.event_codes import EVENT_CODES, PURCHASE, VIEW
from state import EventBatch, LoggedEvent, RedisSettings, StateSettings, open_state
from state.attribution import Attribution, AttributionCodec
from state.store import StateStore

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


async def repeat_until(end: float, work: Callable[[], Awaitable[object]]) -> list[float]:
    """Awaits `work` again and again until `time.perf_counter()` is `end`; the seconds each call took."""
    taken: list[float] = []
    while (began := time.perf_counter()) < end:
        await work()
        taken.append(time.perf_counter() - began)
    return taken


async def fill(store: StateStore, user: str, count: int, event: int) -> None:
    """Gives a user `count` events, a thousand a batch."""
    now = int(time.time() * 1000)
    for start in range(0, count, 1_000):
        rows = range(start, min(start + 1_000, count))
        await store.append(EventBatch.of([LoggedEvent(user, f"i{n}", event, now + n, now) for n in rows]))


async def measure_reads(
    stores: Mapping[str, StateStore], seconds: float
) -> dict[str, dict[str, dict[str, float]]]:
    """Reads of an unknown user, of one with 50 views and of one whose every record is full, in turns."""
    for store in stores.values():
        await fill(store, "usual", 50, VIEW)
        await fill(store, "full", 2_000, PURCHASE)
        await fill(store, "full", 500, EVENT_CODES["impression"])
    users = ("unknown", "usual", "full")
    taken: dict[str, dict[str, list[float]]] = {name: {user: [] for user in users} for name in stores}
    turn_s = seconds / len(users) / ROUNDS / len(stores)
    for _ in range(ROUNDS):
        for user in users:
            for name, store in stores.items():
                taken[name][user] += await repeat_until(
                    time.perf_counter() + turn_s, partial(store.read, user)
                )
    return {
        name: {user: percentiles_us(calls) for user, calls in of_store.items()}
        for name, of_store in taken.items()
    }


async def measure_reads_at_once(stores: Mapping[str, StateStore], seconds: float) -> dict[str, int]:
    """Reads per second of the user with 50 views, 32 callers on one event loop; medians over the rounds."""
    rates: dict[str, list[float]] = {name: [] for name in stores}
    for _ in range(ROUNDS):
        for name, store in stores.items():
            began = time.perf_counter()
            calls = await asyncio.gather(
                *[
                    repeat_until(began + seconds / ROUNDS / len(stores), partial(store.read, "usual"))
                    for _ in range(max(CONCURRENCY))
                ]
            )
            rates[name].append(sum(map(len, calls)) / (time.perf_counter() - began))
    return {name: round(median(of_store)) for name, of_store in rates.items()}


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
                EventBatch.of(
                    [LoggedEvent(user, f"i{sent}", VIEW, now, now, event_id=f"{number}-{sent}-{began}")]
                )
            )
            sent += 1
        done += sent

    await asyncio.gather(*[caller(number) for number in range(concurrency)])
    return done / (time.perf_counter() - began)


async def measure_appends(
    grouped: StateStore, peers: Mapping[str, StateStore], seconds: float
) -> list[dict[str, float]]:
    """Every store at each concurrency, in turns; medians over the rounds. A ratio is group commit ÷ peer."""
    rows: list[dict[str, float]] = []
    for concurrency in CONCURRENCY:
        rates: dict[str, list[float]] = {"group_commit": [], **{name: [] for name in peers}}
        for _ in range(ROUNDS):
            for name, store in (("group_commit", grouped), *peers.items()):
                rates[name].append(await appends_per_second(store, concurrency, seconds / ROUNDS))
        row: dict[str, float] = {"concurrency": concurrency}
        for name, of_store in rates.items():
            row[f"{name}_per_s"] = round(median(of_store))
            row[f"{name}_ratio"] = round(
                median(ours / peer for ours, peer in zip(rates["group_commit"], of_store, strict=True)), 2
            )
        rows.append(row)
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
        answer, *_ = await report_events(request, store, EveryItem(), time.time, codec)
        taken.append(time.perf_counter() - began)
        if answer.accepted != 1_000:
            raise RuntimeError(f"{answer.accepted} of 1,000 events were accepted: {answer.errors[:1]}")
    return {"events": 1_000, "median_ms": round(median(taken) * 1e3, 1)}


async def measure(scratch: Path, seconds: float, redis_url: str) -> dict[str, Any]:
    """All figures, with stores in fresh folders below `scratch` and, where named, in a Redis server."""
    grouped = open_state(StateSettings(url=f"lmdb://{scratch}/grouped"))
    single = open_state(StateSettings(url=f"lmdb://{scratch}/single", max_group_events=1))
    stores = {"lmdb": grouped}
    peers = {"one_per_event": single}
    if redis_url:
        # A read that takes longer than a request would wait is still a figure.
        redis = RedisSettings(prefix=scratch.name, read_timeout_s=10)
        stores["redis"] = peers["redis"] = open_state(StateSettings(url=redis_url, redis=redis))
    try:
        return {
            "read": await measure_reads(stores, seconds * len(stores)),
            "reads_per_s": await measure_reads_at_once(stores, seconds * len(stores)),
            "append": await measure_appends(grouped, peers, seconds),
            "report_events": {name: await measure_report(store) for name, store in stores.items()},
        }
    finally:
        grouped.close()
        single.close()
        if redis_url:
            await asyncio.to_thread(stores["redis"].close)


def main() -> None:
    """Measure, print a table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds per figure")
    parser.add_argument("--redis", default="", help="URL of a Redis server to measure beside LMDB")
    parser.add_argument(
        "--json", type=Path, default=Path("build/benchmarks/state.json"), help="where to write"
    )
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    # The stores lie beside the report, not in /tmp, which may be memory and then measures no disk.
    scratch = Path(mkdtemp(prefix="state-", dir=options.json.parent)).resolve()
    try:
        figures = asyncio.run(measure(scratch, options.seconds, options.redis))
    finally:
        shutil.rmtree(scratch)
    write_durably(options.json, json.dumps(figures, indent=2).encode())

    for name, of_store in figures["read"].items():
        for user, row in of_store.items():
            print(f"{name:5} read, {user:8} user  p50 {row['p50_us']:7.1f} µs   p99 {row['p99_us']:7.1f} µs")
        print(f"{name:5} read, {max(CONCURRENCY)} callers      {figures['reads_per_s'][name]:,} /s")
    for row in figures["append"]:
        print(f"append, {row['concurrency']:2} callers  {row['group_commit_per_s']:7,} /s")
        for name in ("one_per_event", "redis"):
            if f"{name}_per_s" in row:
                print(f"    {name:13} {row[f'{name}_per_s']:7,} /s   ratio {row[f'{name}_ratio']:.2f}")
    for name, row in figures["report_events"].items():
        print(f"{name:5} ReportEvents of 1,000 events  {row['median_ms']:.1f} ms")


if __name__ == "__main__":
    main()
