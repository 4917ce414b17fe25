"""Each recall channel and their fusion on the next item of public sequences: Amazon Beauty and Diginetica.

Beauty is measured by leave-one-out: each shopper's last item is to be found among all items but those that
the shopper has. Diginetica is measured on its test file: the next click after each prefix of a session, among
all items. Shares are chosen on a validation part, which the tables do not know then: each shopper's last item
but one, and the last sessions of the training file. The tables of the test know that part.

Run `python -m benchmarks.next_item [--data amazon_beauty diginetica] [--shoppers 4000]
[--json build/benchmarks/next_item.json]`. Files are read from `shared/data` beside the checkout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.public_data import SHARED, dataset_of
from evaluation.queries import TestShopper
from evaluation.scene_fusion import FusionOf
from evaluation.share_search import search_shares
from foundation.statistics.bootstrap import grouped_interval
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from models.interaction_log import InteractionLog
from pipeline.stages import Fusion
from recall.build import build_channels, open_channels
from recall.build_events import build_events
from recall.channel import BuildSource, Channel, ModelCall, Recalled, Services
from recall.query import Query
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from recall.triggers import select_triggers
from router.fusion.reciprocal_rank import ReciprocalRankFusion
from snapshot.dataset import Dataset, DatasetStore
from snapshot.durable_files import write_durably

DIGINETICA = SHARED / "diginetica"
DEPTH = 200
DAY_S = 86_400
VALIDATION_SESSIONS = 8_000
PERIOD_DAYS = 150
"""Over which the sessions of Diginetica, which have an order but no time, are spread evenly."""
MODELLED = tuple(name for name, kind in CHANNELS.items() if kind.models)


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


async def no_model(query: Query, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Channels with models are left out."""
    raise NotImplementedError


def answers_of(part: Part, settings: RecallSettings) -> list[dict[str, Recalled]]:
    """What each channel answers to each shopper, without what is hidden from it."""
    call: ModelCall = no_model

    async def ask(channels: Mapping[str, Channel]) -> list[dict[str, Recalled]]:
        answers = []
        for shopper, hidden in zip(part.shoppers, part.hidden, strict=True):
            found = {}
            for name, channel in channels.items():
                recalled = await channel.recall(shopper.query, DEPTH)
                kept = ~np.isin(recalled.items, hidden)
                found[name] = Recalled(recalled.items[kept], recalled.scores[kept], recalled.triggers[kept])
            answers.append(found)
        return answers

    with tempfile.TemporaryDirectory() as folder:
        build_channels(part.source, Path(folder), settings)
        channels = open_channels(Path(folder), part.source.catalogue, Services(lambda _: call), settings)
        return asyncio.run(ask(channels))


def by_reciprocal_rank(shares: Mapping[str, float]) -> Fusion:
    """The fusion of `config/scenes.yaml`."""
    return ReciprocalRankFusion(np.array(list(shares.values()), np.float64), 2.0, {}, {})


def row_of(lists: Sequence[np.ndarray], shoppers: Sequence[TestShopper], cut: int) -> dict[str, float]:
    """HR, NDCG and MRR@cut and recall@DEPTH of one target each, and 95 % intervals of the first three."""
    place = np.full(len(shoppers), np.inf)
    for row, (items, shopper) in enumerate(zip(lists, shoppers, strict=True)):
        at = np.flatnonzero(items[:DEPTH] == shopper.targets[0])
        if len(at):
            place[row] = at[0] + 1
    inside = place <= cut
    gains = {
        f"hr@{cut}": inside.astype(np.float64),
        f"ndcg@{cut}": inside / np.log2(np.where(inside, place, 1) + 1),
        f"mrr@{cut}": inside / np.where(inside, place, 1),
    }
    row_values: dict[str, float] = {}
    for name, gain in gains.items():
        low, high = grouped_interval(gain, np.arange(len(gain)), np.random.default_rng(0), 300)
        row_values |= {name: float(gain.mean()), f"{name} low": low, f"{name} high": high}
    return row_values | {f"recall@{DEPTH}": float(np.isfinite(place).mean())}


def measure(
    validation: Part, test: Part, settings: RecallSettings, cut: int, fusion_of: FusionOf
) -> dict[str, Any]:
    """Rows of the test by channels and by their fusion, whose shares the validation part chose."""
    before = answers_of(validation, settings)
    names = list(before[0])
    chosen = search_shares(validation.shoppers, before, names, fusion_of, DEPTH)
    after = answers_of(test, settings)
    rows = {name: row_of([answer[name].items for answer in after], test.shoppers, cut) for name in names}

    def fused(left_out: str | None) -> list[np.ndarray]:
        shares = {name: share for name, share in chosen.shares.items() if name != left_out}
        fusion = fusion_of(shares)
        return [fusion.fuse([answer[name] for name in shares], DEPTH).items for answer in after]

    rows["fused"] = row_of(fused(None), test.shoppers, cut)
    for name in names:
        if chosen.shares[name] > 0:
            rows[f"fused without {name}"] = row_of(fused(name), test.shoppers, cut)
    return {
        "shares": dict(chosen.shares),
        "validation": {name: [alone.recall, alone.ndcg] for name, alone in chosen.alone.items()},
        "shoppers": len(test.shoppers),
        "rows": rows,
    }


def print_table(name: str, result: Mapping[str, Any]) -> None:
    """The shares, and one line per row."""
    print(f"{name}: {result['shoppers']} targets; shares {result['shares']}")
    for row, values in result["rows"].items():
        cells = [f"{column} {value:.4f}" for column, value in values.items()]
        print(f"  {row:32}" + "  ".join(cells))


def main() -> None:
    """Measures each data set, prints the tables and writes them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("amazon_beauty", "diginetica")
    parser.add_argument("--data", nargs="+", choices=names, default=list(names))
    parser.add_argument("--shoppers", type=int, default=4_000, help="targets of the validation part at most")
    parser.add_argument("--test", type=int, default=None, help="targets of the test at most; default all")
    parser.add_argument("--channels", nargs="+", choices=[n for n in CHANNELS if n not in MODELLED])
    parser.add_argument("--settings", type=json.loads, default={}, help="channel -> settings, as JSON")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/next_item.json"))
    options = parser.parse_args()
    chosen = options.channels or [name for name in CHANNELS if name not in MODELLED]
    settings = RecallSettings.model_validate(
        {name: {"enabled": name in chosen, **options.settings.get(name, {})} for name in CHANNELS}
    )
    workspace = options.json.parent / "next_item"
    results = {}
    for name in options.data:
        if not (SHARED / name).is_dir():
            print(f"{name}: skipped, {SHARED / name} is absent")
            continue
        if name == "amazon_beauty":
            dataset = dataset_of(name, workspace, 0)
            assert dataset is not None
            parts = beauty_part(dataset, 2, options.shoppers), beauty_part(dataset, 1, options.test)
            results[name] = measure(*parts, settings, 10, by_reciprocal_rank)
        else:
            dataset = diginetica_dataset(workspace)
            parts = (
                diginetica_part(dataset, True, options.shoppers),
                diginetica_part(dataset, False, options.test),
            )
            results[name] = measure(*parts, settings, 20, by_reciprocal_rank)
        print_table(name, results[name])
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps(results, indent=2).encode())


if __name__ == "__main__":
    main()
