"""Public sequences with parts left out: what tables are built from, and who is asked for what."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.public_data import SHARED
from evaluation.queries import TestShopper
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from models.interaction_log import InteractionLog
from recall.build_events import build_events
from recall.channel import BuildSource
from recall.query import Query
from recall.triggers import select_triggers
from snapshot.dataset import Dataset, DatasetStore

DIGINETICA = SHARED / "diginetica"
DAY_S = 86_400
VALIDATION_SESSIONS = 8_000
PERIOD_DAYS = 150
"""Over which the sessions of Diginetica, which have an order but no time, are spread evenly."""


@dataclass(frozen=True)
class Part:
    """One part of a log, predicted from the rest: what tables are built from, and who is asked for what."""

    source: BuildSource
    shoppers: Sequence[TestShopper]
    hidden: Sequence[np.ndarray]
    """Items that an answer may not have, int32[] for each shopper."""


def query_of(items: np.ndarray, ts: np.ndarray, now: int) -> Query:
    """A query with views of the items, int[n], oldest first, at the times int64[n]."""
    items, ts = items[::-1][:200].astype(np.int32), ts[::-1][:200]
    events = np.full(len(items), 2, np.uint8)
    triggers, weights = select_triggers(items, events, ts, now)
    return Query(
        scene="home",
        now=now,
        history_items=items,
        history_events=events,
        history_ts=ts,
        triggers=triggers,
        trigger_weights=weights,
    )


def beauty_part(dataset: Dataset, left_out: int, most: int | None) -> Part:
    """Each shopper's last item (left_out = 1) or last but one (2), of at most so many shoppers."""
    events = build_events(dataset.events()).sort("user", "ts", maintain_order=True)
    place = pl.int_range(pl.len()).reverse().over("user")
    known = events.filter(place >= left_out)
    log = InteractionLog.from_frames(
        events, dataset.users(), dataset.catalogue.size, np.asarray(dataset.catalogue.category)
    ).behaviours
    users = np.flatnonzero(np.diff(log.offsets) > left_out)
    if most is not None and len(users) > most:
        users = np.sort(np.random.default_rng(0).choice(users, most, replace=False))
    shoppers, hidden = [], []
    for user in users:
        first, at = int(log.offsets[user]), int(log.offsets[user + 1]) - left_out
        items = log.item[first:at]
        target = log.item[at : at + 1].astype(np.int32)
        query = query_of(items, log.ts[first:at], int(log.ts[at]))
        shoppers.append(TestShopper(query, target, target, user=int(user)))
        hidden.append(items)
    now = int(known["ts"].max())  # type: ignore[arg-type]
    source = BuildSource(known, dataset.users(), dataset.catalogue, now, {}, 0)
    return Part(source, shoppers, hidden)


def diginetica_dataset(workspace: Path) -> Dataset:
    """The training sessions as a log of views, each session a shopper of its own; ingested once."""
    store = DatasetStore(workspace / "diginetica" / "datasets")
    if store.current_id() is not None:
        return store.open_current()
    sessions = pl.read_parquet(DIGINETICA / "train_sessions.parquet").with_row_index("user_id")
    step = PERIOD_DAYS * DAY_S / sessions.height
    begin = 1_451_606_400 + (pl.col("user_id") * step).cast(pl.Int64)
    clicks = sessions.select(
        (pl.col("user_id") + 1).alias("user_id"),
        pl.col("items").alias("item_id"),
        pl.lit("view").alias("event"),
        (begin + pl.int_ranges(pl.col("items").list.len())).alias("timestamp"),
    ).explode("item_id", "timestamp")
    with tempfile.TemporaryDirectory() as folder:
        clicks.write_csv(Path(folder) / "events.csv")
        return ingest_folder(Path(folder), workspace / "diginetica", IngestSettings(), 0)


def diginetica_part(dataset: Dataset, validation: bool, most: int | None) -> Part:
    """Prefixes of the last sessions of the training file, or those of the test file, at most so many."""
    events = build_events(dataset.events())
    end = dataset.manifest.time_range[1] + 1
    if validation:
        began = pl.col("ts").min().over("user")
        cut = events.group_by("user").agg(pl.col("ts").min())["ts"].sort()[-VALIDATION_SESSIONS]
        last = events.filter(began >= cut).group_by("user", maintain_order=True).agg("item")
        events, end = events.filter(began < cut), int(cut)
        asked = [
            (items[:length], items[length])
            for items in (np.array(row) for row in last["item"].to_list())
            for length in range(1, len(items))
        ]
    else:
        test = pl.read_parquet(DIGINETICA / "test.parquet")
        items = dataset.items().select(pl.col("item_id").cast(pl.Int64), "item")
        dense = np.zeros(1 + int(items["item_id"].to_numpy().max()), np.int32)
        dense[items["item_id"].to_numpy()] = items["item"].to_numpy()
        rows = test.select("prefix", "target").rows()
        asked = [(dense[np.array(prefix)], dense[target]) for prefix, target in rows]
    if most is not None and len(asked) > most:
        chosen = np.sort(np.random.default_rng(0).choice(len(asked), most, replace=False))
        asked = [asked[row] for row in chosen]
    shoppers = []
    for prefix, target in asked:
        wanted = np.array([target], np.int32)
        query = query_of(prefix, end + np.arange(len(prefix)), end + len(prefix))
        shoppers.append(TestShopper(query, wanted, wanted))
    source = BuildSource(events, dataset.users(), dataset.catalogue, end - 1, {}, 0)
    return Part(source, shoppers, [np.empty(0, np.int32)] * len(shoppers))
