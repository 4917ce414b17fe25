"""Items that no session has: what channels that know what items are find of them, on public logs.

A part of the items is drawn and taken out of the log that tables are built from. Asked for are shoppers who
take one of them next: on Amazon Beauty each shopper's last item, every shopper's items one session; on the
sample what shoppers take in the test range and did not take before. Printed are, with 95 % bootstrap
intervals over shoppers: the recall of these items in the first 200 among all, HR@10 and HR@50 among what a
channel lists of the drawn ones, and how many it lists. Beside them the drawn items by the share of their
category in the shopper's history, and all items in random order. Channels of events alone find none.

Run `python -m benchmarks.cold_items [--data amazon_beauty sample] [--seeds 1 2] [--shoppers 700]`.
Data sets are ingested once into `build/benchmarks/cold_items/`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.next_item_parts import Part, beauty_part
from benchmarks.public_data import dataset_of
from evaluation.queries import TestShopper, test_shoppers
from foundation.statistics.bootstrap import grouped_interval
from models.interaction_log import InteractionLog
from recall.build_events import build_events
from recall.channel import BuildSource, Services
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from snapshot.catalogue import Catalogue
from snapshot.dataset import Dataset

DEPTH, LOOKED_THROUGH = 200, 5_000
HEADS = (10, 50)
PART = 0.04
ONE_SESSION: dict[str, Any] = {"session_gap_minutes": 1e9}
BARE: dict[str, Any] = {"words": 0, "selling_points": 0}
WAYS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "amazon_beauty": {name: (name, ONE_SESSION) for name in ("item_units", "graph_embedding")},
    "sample": {
        "item_units": ("item_units", {}),
        "item_units, no titles": ("item_units", BARE),
        "graph_embedding": ("graph_embedding", {}),
    },
}
"""Data set → row → channel and its settings; Beauty has no titles."""

Gains = dict[str, NDArray[np.float64]]
"""Column → float64[s] by shopper; NaN where a row has no such column."""


async def _no_model(query: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    raise AssertionError("none of these channels asks a model")


def sample_part(dataset: Dataset) -> Part:
    """What shoppers take from the test cut on, and the log before it."""
    cut, catalogue = dataset.manifest.cuts.test_from, dataset.catalogue
    events = build_events(dataset.events())
    shoppers = test_shoppers(
        InteractionLog.from_dataset(dataset),
        dataset.users(),
        cut,
        events.height,
        RecallSettings().triggers,
        np.random.default_rng(0),
    )
    known = events.filter(pl.col("ts") < cut)
    hidden = [np.empty(0, np.int32)] * len(shoppers)
    return Part(BuildSource(known, dataset.users(), catalogue, cut - 1, {}, 0), shoppers, hidden)


def without(part: Part, drawn: NDArray[np.int32], most: int, seed: int) -> Part:
    """The part with these items left out of the log, and at most so many of the shoppers who take one next.

    A shopper's targets are those of the drawn items; one who took it before is not asked for it.
    """
    events = part.source.events.filter(~pl.col("item").is_in(drawn.tolist()))
    asked: list[tuple[TestShopper, np.ndarray]] = []
    for shopper, hidden in zip(part.shoppers, part.hidden, strict=True):
        targets = np.intersect1d(shopper.new_targets, drawn)
        if targets.size:
            asked.append((replace(shopper, targets=targets, new_targets=targets), hidden))
    if len(asked) > most:
        chosen = np.random.default_rng(seed).choice(len(asked), most, replace=False)
        asked = [asked[row] for row in sorted(chosen.tolist())]
    source = replace(part.source, events=events, seed=seed)
    return Part(source, [shopper for shopper, _ in asked], [hidden for _, hidden in asked])


def gains_of(
    lists: Sequence[NDArray[np.int32]], part: Part, drawn: NDArray[np.int32], among_all: bool = True
) -> Gains:
    """What each shopper finds in a list of items, best first; `among_all`: the list ranks all items."""
    count = len(lists)
    gains = {name: np.full(count, np.nan) for name in ("recall", *(f"hr@{k}" for k in HEADS), "listed")}
    for row, (items, shopper, hidden) in enumerate(zip(lists, part.shoppers, part.hidden, strict=True)):
        kept = items[~np.isin(items, hidden)]
        cold = kept[np.isin(kept, drawn)]
        if among_all:
            gains["recall"][row] = np.isin(shopper.targets, kept[:DEPTH]).mean()
        gains["listed"][row] = len(cold)
        for k in HEADS:
            gains[f"hr@{k}"][row] = np.isin(shopper.targets, cold[:k]).any()
    return gains


def channel_lists(part: Part, channel: str, settings: Mapping[str, Any]) -> list[NDArray[np.int32]]:
    """The first `LOOKED_THROUGH` items that a channel answers each shopper."""
    kind = CHANNELS[channel]
    chosen = kind.settings.model_validate({"enabled": True, **settings})

    async def ask(folder: Path) -> list[NDArray[np.int32]]:
        opened = kind.open(folder, part.source.catalogue, Services(lambda _: _no_model), chosen)
        return [(await opened.recall(each.query, LOOKED_THROUGH)).items for each in part.shoppers]

    with tempfile.TemporaryDirectory() as folder:
        kind.build(part.source, Path(folder), chosen)
        return asyncio.run(ask(Path(folder)))


def by_category(
    part: Part, drawn: NDArray[np.int32], catalogue: Catalogue, seed: int
) -> list[NDArray[np.int32]]:
    """The drawn items by the share of their category in each shopper's history, ties in random order."""
    category = np.asarray(catalogue.category)
    shuffled = np.random.default_rng(seed).permutation(drawn)
    lists = []
    for shopper in part.shoppers:
        share = np.bincount(category[shopper.query.history_items], minlength=catalogue.category_count + 1)
        lists.append(shuffled[np.argsort(-share[category[shuffled]], kind="stable")])
    return lists


def at_random(part: Part, size: int, seed: int) -> list[NDArray[np.int32]]:
    """All items in an order drawn for each shopper."""
    random = np.random.default_rng(seed)
    return [random.permutation(np.arange(1, size + 1, dtype=np.int32)) for _ in part.shoppers]


def measured(data: str, part: Part, seeds: Sequence[int], most: int) -> dict[str, Gains]:
    """Row → column → value of each shopper of every seed, one after the other."""
    catalogue = part.source.catalogue
    rows: dict[str, list[Gains]] = {}
    for seed in seeds:
        random = np.random.default_rng(seed)
        drawn = np.sort(random.choice(catalogue.size, int(PART * catalogue.size), replace=False) + 1).astype(
            np.int32
        )
        asked = without(part, drawn, most, seed)
        print(f"{data}, seed {seed}: {len(drawn)} items drawn, {len(asked.shoppers)} shoppers", flush=True)
        for row, (channel, settings) in WAYS[data].items():
            lists = channel_lists(asked, channel, settings)
            rows.setdefault(row, []).append(gains_of(lists, asked, drawn))
        by_share = gains_of(by_category(asked, drawn, catalogue, seed), asked, drawn, among_all=False)
        rows.setdefault("by category", []).append(by_share)
        rows.setdefault("at random", []).append(
            gains_of(at_random(asked, catalogue.size, seed), asked, drawn)
        )
    return {
        row: {name: np.concatenate([each[name] for each in gains]) for name in gains[0]}
        for row, gains in rows.items()
    }


def shown(gains: NDArray[np.float64]) -> str:
    """The mean with its interval; – where the row has no such column."""
    if np.isnan(gains).any():
        return "–"
    low, high = grouped_interval(gains, np.arange(len(gains)), np.random.default_rng(0))
    return f"{gains.mean():.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Measures each data set and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shoppers", type=int, default=700, help="of one seed at most")
    parser.add_argument("--workspace", type=Path, default=Path("build/benchmarks/cold_items"))
    options = parser.parse_args()
    for data in options.data:
        dataset = dataset_of(data, options.workspace, 0)
        if dataset is None:
            print(f"{data}: skipped, its files are absent")
            continue
        part = beauty_part(dataset, 1, None) if data == "amazon_beauty" else sample_part(dataset)
        rows = measured(data, part, options.seeds, options.shoppers)
        for row, gains in rows.items():
            print(f"  {row:24}" + "  ".join(f"{name} {shown(each)}" for name, each in gains.items()))


if __name__ == "__main__":
    main()
