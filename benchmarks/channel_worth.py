"""The channel table of `shopfront evaluate` alone, on the test range or on the validation range.

Each channel by itself, the fusion of the main scene, and what this loses without the channel or, for one
without a share, would gain with a twentieth of the shares (`evaluation.channel_table`). Shares are chosen by
the validation range, which `shopfront evaluate` does not show. Models are those that the workspace trained
last; tables are built of what came before the range.

Run `python -m benchmarks.channel_worth build/sample --config <file> [--range valid] [--shoppers 600]
[--json build/benchmarks/channel_worth.json]`, with a config that enables what is to be measured; then
`python -m docs.channel_table <JSON>` for a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from evaluation.channel_table import CUTS, channel_notes, channel_table
from evaluation.loaded_models import item_vectors, load_models, services
from evaluation.page_metrics import PageFacts
from evaluation.peers.past_events import PastEvents
from evaluation.queries import test_shoppers
from evaluation.recall_table import ask
from evaluation.scene_fusion import SceneFusion
from ingest.shop_facts import facts_of
from models.interaction_log import InteractionLog
from recall.build import build_channels, enabled_channels, only, open_channels, switched_off
from recall.build_events import build_events
from recall.channel import BuildSource
from recall.registry import CHANNELS
from router.scenes.fit_shop import fit_scene
from shopfront.build_record import BuildRecord
from shopfront.build_steps import built
from shopfront.evaluation import limit_threads
from shopfront.settings import Settings, load_settings, main_scene
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore
from snapshot.durable_files import write_durably

RANGES = ("test", "valid")


def measured(
    workspace: Workspace, settings: Settings, which: str, count: int, left_out: Sequence[str]
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Rows of `channel_table` for `count` shoppers of a range (of `RANGES`), and notes about channels."""
    limit_threads(settings)
    dataset = DatasetStore(workspace.datasets).open(built(workspace).dataset, verify=False)
    seed, cuts, users = settings.evaluation.seed, dataset.manifest.cuts, dataset.users()
    name, configured = main_scene(settings)
    scene = fit_scene(name, configured, facts_of(dataset))
    asked = [name for name in enabled_channels(settings.router.recall) if name not in left_out]
    recall = only(settings.router.recall, asked)
    record = BuildRecord(workspace.build_record)
    checkpoints = {
        model: workspace.checkpoints / model / record.latest(f"checkpoint {model}")
        for model in {model for name in asked for model in CHANNELS[name].models}
    }
    models = load_models(checkpoints, dataset.manifest.id)
    cut = cuts.test_from if which == "test" else cuts.valid_from
    events = build_events(dataset.events())
    if which == "valid":
        events = events.filter(pl.col("ts") < cuts.test_from)
    log = InteractionLog.of_events(events, users, dataset)
    shoppers = test_shoppers(log, users, cut, count, recall.triggers, np.random.default_rng(seed))
    source = BuildSource(
        events=events.filter(pl.col("ts") < cut),
        users=users,
        catalogue=dataset.catalogue,
        tagged_titles=dataset.tagged_titles(),
        now=cut - 1,
        vectors=item_vectors(models),
        seed=seed,
    )
    with tempfile.TemporaryDirectory(prefix="worth-") as folder:
        tables = Path(folder)
        build_channels(source, tables / "channels", recall, _told)
        channels = open_channels(tables / "channels", dataset.catalogue, services(models), recall)
        off = switched_off(tables / "channels", recall)
        fusion = SceneFusion.of(scene, settings.router.tables.sections())
        rows = channel_table(
            shoppers,
            asyncio.run(ask(shoppers, channels, CUTS[-1])),
            {name: share for name, share in scene.shares().items() if name in channels},
            fusion.open(source, tables / "fusion"),
            PageFacts(PastEvents.before(log, cut), np.asarray(dataset.catalogue.category)),
            seed,
        )
        return rows, channel_notes(off, channels, rows)


def _without_nan(rows: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """NaN is null in JSON."""
    return {
        name: {column: value if np.isfinite(value) else None for column, value in row.items()}
        for name, row in rows.items()
    }


def _told(stage: str, share: float) -> None:
    print(f"{time.process_time():7.0f} CPU s  {stage}", flush=True)


def main() -> None:
    """Measures, prints the notes and writes the rows as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--range", choices=RANGES, default="test")
    parser.add_argument("--shoppers", type=int, default=600)
    parser.add_argument("--without", nargs="+", choices=list(CHANNELS), default=[], help="channels left out")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/channel_worth.json"))
    options = parser.parse_args()
    workspace = Workspace(options.workspace)
    settings = load_settings(options.config, workspace)
    rows, notes = measured(workspace, settings, options.range, options.shoppers, options.without)
    print("\n".join(notes))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps({"channels": _without_nan(rows)}, indent=2).encode())


if __name__ == "__main__":
    main()
