"""Each recall channel and their fusion on the next item of public sequences: Amazon Beauty and Diginetica.

Beauty is measured by leave-one-out: each shopper's last item is to be found among all items but those that
the shopper has. Diginetica is measured on its test file: the next click after each prefix of a session, among
all items. Shares are chosen on a validation part, which the tables do not know then: each shopper's last item
but one, and the last sessions of the training file. The tables of the test know that part. The network of
`sequential` (on Beauty, with `--sequential`) is trained once, without that part, by which it stops; in the
test it reads it.

Run `python -m benchmarks.next_item [--data amazon_beauty diginetica] [--shoppers 4000]
[--sequential '{"training": {"max_steps": 2400}}'] [--json build/benchmarks/next_item.json]`.
Files are read from `shared/data` beside the checkout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.next_item_network import with_network
from benchmarks.next_item_parts import Part, beauty_part, diginetica_dataset, diginetica_part
from benchmarks.public_data import SHARED, dataset_of
from evaluation.queries import TestShopper
from evaluation.scene_fusion import FusionOf
from evaluation.share_search import search_shares
from foundation.statistics.bootstrap import grouped_interval
from models.sequential import SequentialSettings
from pipeline.stages import Fusion
from recall.build import build_channels, open_channels
from recall.channel import Channel, Recalled, Services
from recall.query import Query
from recall.registry import CHANNELS
from recall.sequential import NAME as SEQUENTIAL
from recall.settings import RecallSettings
from router.fusion.reciprocal_rank import ReciprocalRankFusion
from snapshot.durable_files import write_durably

DEPTH = 200
MODELLED = tuple(name for name, kind in CHANNELS.items() if kind.models)


async def _no_model(query: Query, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    raise NotImplementedError


NO_MODELS = Services(lambda _: _no_model)
"""For channels without models."""


def answers_of(
    part: Part, settings: RecallSettings, services: Services = NO_MODELS
) -> list[dict[str, Recalled]]:
    """What each channel answers to each shopper, without what is hidden from it."""

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
        channels = open_channels(Path(folder), part.source.catalogue, services, settings)
        return asyncio.run(ask(channels))


def by_reciprocal_rank(shares: Mapping[str, float]) -> Fusion:
    """The fusion of `config/scenes.yaml`."""
    return ReciprocalRankFusion(np.array(list(shares.values()), np.float64), 2.0, {}, {})


def gains_of(
    lists: Sequence[np.ndarray], shoppers: Sequence[TestShopper], cut: int
) -> dict[str, NDArray[np.float64]]:
    """HR, NDCG and MRR@cut and recall@DEPTH of one target each, float64[s] by shopper."""
    place = np.full(len(shoppers), np.inf)
    for row, (items, shopper) in enumerate(zip(lists, shoppers, strict=True)):
        at = np.flatnonzero(items[:DEPTH] == shopper.targets[0])
        if len(at):
            place[row] = at[0] + 1
    inside = place <= cut
    return {
        f"hr@{cut}": inside.astype(np.float64),
        f"ndcg@{cut}": inside / np.log2(np.where(inside, place, 1) + 1),
        f"mrr@{cut}": inside / np.where(inside, place, 1),
        f"recall@{DEPTH}": np.isfinite(place).astype(np.float64),
    }


def row_of(gains: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Means of what shoppers gain, with 95 % bootstrap intervals."""
    row_values: dict[str, float] = {}
    for name, gain in gains.items():
        low, high = grouped_interval(gain, np.arange(len(gain)), np.random.default_rng(0), 300)
        row_values |= {name: float(gain.mean()), f"{name} low": low, f"{name} high": high}
    return row_values


def measure(
    validation: Part,
    test: Part,
    settings: RecallSettings,
    cut: int,
    fusion_of: FusionOf,
    services: Services = NO_MODELS,
) -> dict[str, Any]:
    """Rows of the test by channels and by their fusion, whose shares the validation part chose.

    A last row is what the fusion gains over the channel of the best NDCG on the validation part, by shopper.
    """
    before = answers_of(validation, settings, services)
    names = list(before[0])
    chosen = search_shares(validation.shoppers, before, names, fusion_of, DEPTH)
    after = answers_of(test, settings, services)

    def gains(lists: Sequence[np.ndarray]) -> dict[str, NDArray[np.float64]]:
        return gains_of(lists, test.shoppers, cut)

    def fused(left_out: str | None) -> list[np.ndarray]:
        shares = {name: share for name, share in chosen.shares.items() if name != left_out}
        fusion = fusion_of(shares)
        return [fusion.fuse([answer[name] for name in shares], DEPTH).items for answer in after]

    alone = {name: gains([answer[name].items for answer in after]) for name in names}
    whole = gains(fused(None))
    rows = {name: row_of(each) for name, each in alone.items()} | {"fused": row_of(whole)}
    for name in names:
        if chosen.shares[name] > 0 and sum(chosen.shares.values()) > chosen.shares[name]:
            rows[f"fused without {name}"] = row_of(gains(fused(name)))
    best = max(names, key=lambda name: chosen.alone[name].ndcg)
    rows[f"fused less {best}"] = row_of({name: whole[name] - alone[best][name] for name in whole})
    return {
        "shares": dict(chosen.shares),
        "validation": {name: [alone.recall, alone.ndcg] for name, alone in chosen.alone.items()},
        "shoppers": len(test.shoppers),
        "fused on the validation part": [chosen.fused.recall, chosen.fused.ndcg],
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
    parser.add_argument(
        "--sequential",
        type=lambda text: SequentialSettings.model_validate_json(text),
        help="measure this channel on Beauty too; the settings of its model, as JSON",
    )
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
            services, enabled = NO_MODELS, settings
            if options.sequential is not None:
                parts, services = with_network(*parts, options.sequential)
                network = settings.sequential.model_copy(update={"enabled": True})
                enabled = settings.model_copy(update={SEQUENTIAL: network})
            results[name] = measure(*parts, enabled, 10, by_reciprocal_rank, services)
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
