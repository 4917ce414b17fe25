"""Seconds that each step of cleaning takes on ten million made-up events, and the rows it removes.

Run `python -m benchmarks.ingest [--events 10000000] [--seed 0] [--json build/benchmarks/ingest.json]`.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from features.behaviour_score import behaviour_scores
from ingest.cleaning.evidence import Evidence, time_resolution_ms
from ingest.cleaning.rules import RULES
from ingest.dense_ids import by_first_appearance
from ingest.settings import CleaningSettings
from snapshot.durable_files import write_durably
from snapshot.event_codes import CART, FAVORITE, IMPRESSION, PURCHASE, VIEW

Result = TypeVar("Result")

_MONTH_MS = 30 * 86_400_000
_START_MS = 1_700_000_000_000
_BEHAVIOURS = np.array([IMPRESSION, VIEW, FAVORITE, CART, PURCHASE], dtype=np.uint8)
_SHARES = np.array([0.30, 0.58, 0.03, 0.06, 0.03])


def synthesise(count: int, seed: int) -> pl.DataFrame:
    """A month of events of a shop, in time order, with something in it for every rule.

    Users and items follow power laws; sessions have about ten events seconds apart; one event in 200 is by
    one of ten programs that click for ten minutes; some carts repeat, some purchases are followed by a view.

    Args:
        count: number of events.
        seed: everything follows from it.

    Returns:
        user_id, item_id str, event uint8, ts_ms int64.
    """
    random = np.random.default_rng(seed)
    users, items, sessions = max(count // 50, 1), max(count // 20, 1), max(count // 10, 1)
    session_user = (users * random.random(sessions) ** 2).astype(np.int64)
    session_start = random.integers(0, _MONTH_MS, size=sessions)
    session = np.sort(random.integers(0, sessions, size=count))
    first_of_session = np.searchsorted(session, session)
    step = np.arange(count) - first_of_session
    user = session_user[session]
    pace_ms = random.integers(500, 30_000, size=count)
    item = (items * random.random(count) ** 3).astype(np.int64)
    event = random.choice(_BEHAVIOURS, size=count, p=_SHARES)
    # One event in ten is about the item before it: a second cart, a look at what was bought.
    again = np.flatnonzero((random.random(count) < 0.1) & (step > 0))
    item[again] = item[again - 1]
    event[again] = np.where(event[again - 1] == PURCHASE, VIEW, event[again - 1])
    ts_ms = _START_MS + session_start[session] + step * pace_ms
    by_program = np.flatnonzero(random.random(count) < 0.005)
    user[by_program] = users + random.integers(10, size=len(by_program))
    ts_ms[by_program] = _START_MS + random.integers(0, 600_000, size=len(by_program))
    return (
        pl.DataFrame({"user_id": user, "item_id": item, "event": event, "ts_ms": ts_ms})
        .with_columns(
            pl.format("u{}", "user_id").alias("user_id"), pl.format("item-{}", "item_id").alias("item_id")
        )
        .sort("ts_ms")
    )


def measure(count: int, seed: int) -> dict[str, object]:
    """Number, sort, clean and score `count` events; seconds and rows removed by step."""
    raw = synthesise(count, seed)
    steps: list[dict[str, object]] = []

    def timed(name: str, work: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = work()
        steps.append({"step": name, "seconds": time.perf_counter() - start, "removed": 0})
        return result

    events, _ = timed("number users", lambda: by_first_appearance(raw, "user_id", "user"))
    events, _ = timed("number items", lambda: by_first_appearance(events, "item_id", "item"))
    events = timed("sort", lambda: events.sort("user", "ts_ms", maintain_order=True))
    settings = CleaningSettings()
    evidence = timed("time resolution", lambda: Evidence(time_resolution_ms(events["ts_ms"]), seed))
    for name, rule in RULES.items():
        before = events.height
        section = getattr(settings, name)
        events = timed(name, lambda: events.filter(rule.keep(events, section, evidence)))  # noqa: B023
        steps[-1]["removed"] = before - events.height
    cleaning = sum(float(str(step["seconds"])) for step in steps)
    stamped = events.with_columns((pl.col("ts_ms") // 1_000).alias("ts"))
    timed("behaviour scores (not part of cleaning)", lambda: behaviour_scores(stamped))
    return {
        "events": count,
        "seed": seed,
        "cleaning_seconds": cleaning,
        "events_per_second": count / cleaning,
        "kept": events.height,
        "peak_resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "polars_threads": pl.thread_pool_size(),
        "steps": steps,
    }


def main() -> None:
    """Measure, print a table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="how many events to clean")
    parser.add_argument("--seed", type=int, default=0, help="seed of the events and of the rules")
    parser.add_argument(
        "--json", type=Path, default=Path("build/benchmarks/ingest.json"), help="where to write"
    )
    options = parser.parse_args()
    figures = measure(options.events, options.seed)
    for step in figures["steps"]:  # type: ignore[attr-defined]
        print(f"{step['step']:<42}{step['seconds']:>8.2f} s{step['removed']:>12,} removed")
    print(
        f"{figures['events']:,} events cleaned in {figures['cleaning_seconds']:.1f} s, "
        f"{figures['kept']:,} kept, {figures['peak_resident_mb']:,.0f} MB at most, "
        f"{figures['polars_threads']} threads"
    )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps(figures, indent=2).encode())


if __name__ == "__main__":
    main()
