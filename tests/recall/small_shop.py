"""Tiny shops and queries for the channels' tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from recall.channel import BuildSource, Recalled, Services
from recall.query import Query
from snapshot import Catalogue, write_catalogue
from tests.snapshot.contents import columns as empty_columns

DAY = 86_400
NOW = 100 * DAY + DAY // 2


def make_catalogue(folder: Path, categories: Sequence[int], out_of_stock: Sequence[int] = ()) -> Catalogue:
    """A catalogue of one item per category code given; everything else is unknown."""
    size = len(categories)
    columns = empty_columns(size)
    columns["category"][1:] = categories
    columns["in_stock"][1:] = True
    columns["in_stock"][list(out_of_stock)] = False
    names = {"category": [f"c{code}" for code in range(1, max(categories, default=0) + 1)]}
    items = [f"i{item}" for item in range(1, size + 1)]
    columns["title"] = ["", *items]
    write_catalogue(folder / "catalogue", items, columns, names, {})
    return Catalogue.open(folder / "catalogue")


def make_source(
    catalogue: Catalogue,
    events: Sequence[tuple[int, int, int, int]],
    users: Sequence[dict[str, str | None]] = (),
    vectors: np.ndarray | None = None,
    now: int = NOW,
) -> BuildSource:
    """A log of (user, item, event, ts), the users' profiles by user index from 1, and mind's vectors."""
    log = pl.DataFrame(
        list(events),
        schema={"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64},
        orient="row",
    ).sort("user", "ts", maintain_order=True)
    fields = ("gender", "age_band", "city", "purchasing_power")
    profiles = pl.DataFrame(
        [
            {"user": user, "user_id": f"u{user}"} | {field: profile.get(field) for field in fields}
            for user, profile in enumerate(users, start=1)
        ],
        schema={"user": pl.Int32, "user_id": pl.String} | dict.fromkeys(fields, pl.String),
    )
    return BuildSource(log, profiles, catalogue, now, {} if vectors is None else {"mind": vectors}, seed=0)


def make_query(
    history: Sequence[tuple[int, int, int]] = (),
    triggers: Sequence[int] = (),
    weights: Sequence[float] | None = None,
    profile: dict[str, str] | None = None,
    purchases: Sequence[tuple[int, int]] = (),
) -> Query:
    """A query at NOW with a history of (item, event, ts) and purchases of (item, ts), each newest first."""
    bought = np.array(list(purchases), np.int64).reshape(-1, 2)
    columns = np.array(list(history), np.int64).reshape(-1, 3)
    return Query(
        scene="home",
        user_id="u",
        now=NOW,
        history_items=columns[:, 0].astype(np.int32),
        history_events=columns[:, 1].astype(np.uint8),
        history_ts=columns[:, 2],
        triggers=np.array(triggers, np.int32),
        trigger_weights=np.array([1.0] * len(triggers) if weights is None else weights, np.float32),
        profile=profile or {},
        purchased_items=bought[:, 0].astype(np.int32),
        purchased_ts=bought[:, 1],
    )


def services_of(interests: np.ndarray) -> Services:
    """Services whose embedding model answers the same interests, float32[K, D], to everyone."""

    async def call(query: Query, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"interests": interests[None]}

    return Services(lambda model: call)


NO_INTERESTS = services_of(np.zeros((2, 4), np.float32))


def assert_well_formed(recalled: Recalled, k: int, causes: Sequence[int]) -> None:
    """What every channel owes: at most k, no duplicate, only items, best first, known triggers or 0."""
    items, scores, triggers, _ = recalled
    assert (items.dtype, scores.dtype, triggers.dtype) == (np.int32, np.float32, np.int32)
    assert len(items) == len(scores) == len(triggers) <= k
    assert len(np.unique(items)) == len(items)
    assert (items > 0).all()
    assert not np.isnan(scores).any()
    assert (np.diff(scores) <= 0).all()
    assert set(triggers.tolist()) <= {0, *causes}
