"""Pages of the project's own home scene in three tiny shops: whether they show what a shopper owns."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import polars as pl

from evaluation.queries import test_shoppers
from evaluation.served_scene import ServedScene, served_items
from ingest.shop_facts import facts_of
from models.interaction_log import InteractionLog
from recall.build import build_channels, open_channels
from recall.build_events import build_events
from recall.channel import BuildSource
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from router.scenes.components import tables_of
from router.scenes.fit_shop import fit_scene
from router.scenes.load import KnownNames, read_scenes
from router.scenes.table_settings import TablesSettings
from snapshot import Dataset
from testing.shop_kinds import fashion_shop, film_shop, grocer
from tests.recall.small_shop import NO_INTERESTS
from tests.router.scenes.test_load import CONFIG

# Of the first scene, home.
WITHOUT_MODELS = (
    CONFIG.read_text()
    .replace("        triton: {}\n", "", 1)
    .replace("      merge:\n        log_odds: {}\n", "", 1)
)
RECALL = RecallSettings.model_validate(
    {name: {"enabled": False} for name, kind in CHANNELS.items() if kind.models}
)


def owned(dataset: Dataset, folder: Path, text: str = WITHOUT_MODELS) -> float:
    """Part of the home pages' slots, at the test cut, that show what their shopper bought before."""
    cut = dataset.manifest.cuts.test_from
    events, users = build_events(dataset.events()), dataset.users()
    log = InteractionLog.from_frames(
        events, users, dataset.catalogue.size, np.asarray(dataset.catalogue.category)
    )
    source = BuildSource(
        events.filter(pl.col("ts") < cut), users, dataset.catalogue, cut - 1, vectors={}, seed=0
    )
    build_channels(source, folder / "recall", RECALL)
    channels = open_channels(folder / "recall", dataset.catalogue, NO_INTERESTS, RECALL)
    scene = read_scenes(text.encode(), "scenes.yaml", KnownNames(CHANNELS))["home"]
    fitted = fit_scene("home", scene, facts_of(dataset))
    pipeline = ServedScene("home", fitted, tables_of([fitted]), TablesSettings().sections()).open(
        source, folder / "tables", channels, {}
    )
    shoppers = test_shoppers(log, users, cut, 40, RECALL.triggers, np.random.default_rng(0))
    assert len(shoppers) > 20
    shown = []
    for shopper in shoppers:
        page = asyncio.run(served_items(pipeline, shopper.query, 10))
        assert len(page) == 10
        shown.append(np.isin(page, shopper.query.purchased_items))
    return float(np.mean(shown))


def test_a_film_shop_shows_nothing_that_is_owned(tmp_path: Path) -> None:
    assert owned(film_shop(tmp_path), tmp_path) == 0


def test_with_the_grocers_settings_the_film_shop_would(tmp_path: Path) -> None:
    text = (
        WITHOUT_MODELS.replace("learned: auto", "learned: false")
        .replace("window_days: auto", "window_days: 1.0")
        .replace("share: auto", "share: 0.75")
    )
    assert owned(film_shop(tmp_path), tmp_path, text) > 0.25


def test_a_grocer_shows_what_is_bought_again(tmp_path: Path) -> None:
    assert owned(grocer(tmp_path), tmp_path) > 0.25


def test_a_fashion_shop_shows_nothing_that_was_bought_lately(tmp_path: Path) -> None:
    assert owned(fashion_shop(tmp_path), tmp_path) < 0.25
