"""An engine serves scenes with what suits its snapshot's shop; one without measures refuses `auto`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from experiments.load import with_experiments
from pipeline.metrics import NoMetrics
from recall.channel import Services
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from router.engine.engine import EngineBuilder
from router.engine.live import LiveEngine
from router.scenes.describe import describe
from router.scenes.load import KnownNames, Scenes, read_scenes
from router.scenes.problems import SettingsError
from testing.served_shop import ServedShop, make_shop
from tests.features.shop_fit.shops import FILMS, GROCER
from tests.router.engine.conftest import embed

KNOWN = KnownNames(CHANNELS, ["bst"])
SCENES = """
scenes:
  home:
    channels: {hot: {share: 0.25}, again: {share: auto}}
    filters: {already_bought: {window_days: auto}}
    ranking: {enabled: false}
"""
EXPERIMENTS = b"""
layers:
  page:
    experiments:
      window:
        scenes: [home]
        arms:
          asis: {share_bp: 5000}
          long: {share_bp: 5000, patch: {filters: {already_bought: {window_days: 7}}}}
"""


def scenes(text: str = SCENES) -> Scenes:
    return read_scenes(text.encode(), "scenes.yaml", KNOWN)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    return make_shop(tmp_path_factory.mktemp("shop"))


def live(shop: ServedShop, facts: object, text: str = SCENES) -> LiveEngine:
    builder = EngineBuilder(RecallSettings(), Services(lambda model: embed), {}, NoMetrics())
    snapshot = shop.snapshots.open_current()
    manifest = msgspec.structs.replace(snapshot.manifest, shop=facts)
    return LiveEngine(builder, replace(snapshot, manifest=manifest), scenes(text))


@pytest.mark.parametrize(
    ("facts", "channels", "days"), [(GROCER, ["hot", "again"], 1.0), (FILMS, ["hot"], 36_500.0)]
)
def test_the_snapshots_shop_decides(
    shop: ServedShop, facts: object, channels: list[str], days: float
) -> None:
    engine = live(shop, facts).current
    assert list(engine.pipelines["home"].channel_names) == channels
    described = describe(engine.scenes["home"], engine.pipelines["home"])
    assert described["filters"][-1] == {"name": "already_bought", "window_days": days}


def test_the_shop_of_a_real_snapshot_was_measured(shop: ServedShop) -> None:
    facts = shop.snapshots.open_current().manifest.shop
    assert facts == shop.dataset.manifest.shop
    assert facts is not None
    assert facts.shoppers > 0


def test_an_edit_with_auto_is_refused_where_nothing_was_measured(shop: ServedShop) -> None:
    engine = live(shop, None, "scenes: {home: {ranking: {enabled: false}}}")
    before = engine.current
    with pytest.raises(SettingsError, match=r"scenes\.home\.channels\.again\.share: auto follows"):
        engine.change_scenes(scenes())
    assert engine.current is before


def test_a_newer_snapshot_brings_its_own_shop_and_an_edit_meets_it(shop: ServedShop) -> None:
    engine = live(shop, GROCER)
    opened = engine.current
    assert engine.under_present_scenes(opened) is opened
    edited = scenes(SCENES.replace("window_days: auto", "window_days: 3"))
    engine.change_scenes(edited)
    again = engine.under_present_scenes(opened)
    assert again.configured is edited
    assert again.scenes["home"].filters["already_bought"].window_days == 3.0  # type: ignore[attr-defined]


def test_arms_are_fitted_too_and_keep_what_they_name(shop: ServedShop, tmp_path: Path) -> None:
    engine = live(shop, GROCER)
    engine.change_scenes(with_experiments(scenes(), EXPERIMENTS, "experiments.yaml", KNOWN))
    windows = {
        engine.current.variant("home", f"u{user}").settings.filters["already_bought"].window_days  # type: ignore[attr-defined]
        for user in range(40)
    }
    assert windows == {1.0, 7.0}
