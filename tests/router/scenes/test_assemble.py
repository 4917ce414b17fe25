"""A scene's pipeline out of settings and live components, asked for a page."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline import runner
from pipeline.plan import channels_of
from pipeline.scoring import Split
from pipeline.stages import DependencyError
from recall.popularity import NO_PRICES, Popularity
from router.filters.excluded import ExcludedSettings
from router.scenes.assemble import assemble
from router.scenes.describe import describe
from router.scenes.fit_shop import fit_scene
from router.scenes.load import KnownNames, load_scenes, read_scenes
from router.scenes.problems import SettingsError
from router.scenes.settings import SceneSettings
from tests.features.shop_fit.shops import GROCER
from tests.pipeline.stand_ins import FixedChannel, RecordingMetrics, RuleModel
from tests.router.filters.cycle_tables import no_cycles
from tests.router.filters.test_filters import shopper
from tests.router.ranking.default_ranker import default_ranker
from tests.router.scenes.test_load import CHANNELS, CONFIG

SIZE = 400
CATALOGUE = SimpleNamespace(
    in_stock=np.arange(SIZE + 1) % 10 != 0,
    size=SIZE,
    adult=np.arange(SIZE + 1) == 13,
    starts_at=np.zeros(SIZE + 1, np.int64),
    expires_at=np.zeros(SIZE + 1, np.int64),
    category=(np.arange(SIZE + 1) % 7).astype(np.int32),
    brand=(np.arange(SIZE + 1) % 11).astype(np.int32),
    picture_group=np.zeros(SIZE + 1, np.int32),
    titles=lambda items: [f"item {item}" for item in items.tolist()],
    column=lambda name: getattr(CATALOGUE, name),
)

POPULAR = Popularity(np.zeros(SIZE + 1, np.float32), NO_PRICES, 4)
TABLES = default_ranker(SIZE, CHANNELS) | no_cycles(SIZE) | {"popularity": POPULAR}


def live(**items: Sequence[int]) -> dict[str, FixedChannel]:
    return {name: FixedChannel(name, recalled) for name, recalled in items.items()}


def home(text: str = "") -> SceneSettings:
    if not text:
        return fit_scene("home", load_scenes(CONFIG, KnownNames(CHANNELS))["home"], GROCER)
    return read_scenes(text.encode(), "scenes.yaml", KnownNames(CHANNELS))["home"]


async def test_the_projects_home_scene_serves_a_page() -> None:
    scorer, metrics = RuleModel(lambda item: 1 / item), RecordingMetrics()
    channels = live(
        ranki2i=range(1, 100), mind=range(50, 200), again=[], category_hot=range(200, 300), hot=range(1, 400)
    )
    pipeline = assemble("home", home(), channels, CATALOGUE, {"bst": scorer}, metrics, tables=TABLES)
    query = shopper(excluded=[1, 2], bought=[(3, 1_700_000_000 - 60)])
    page = await runner.run(pipeline, query, 20, time.monotonic() + 30, time.monotonic)
    shown = page.items.items
    assert len(shown) == 20
    assert page.degraded == ()
    assert not np.isin([1, 2, 3, 13], shown).any()
    assert CATALOGUE.in_stock[shown].all()
    # Six categories that count, and ten brands: the first slots are spread over both.
    assert len(np.unique(CATALOGUE.category[shown[:6]])) >= 5
    assert channels_of(page.items.channels[0], pipeline.channel_names)[0] == "ranki2i"
    may_be_shown = CATALOGUE.in_stock[1:300] & ~np.isin(np.arange(1, 300), [1, 2, 3, 13])
    assert scorer.scored == [np.count_nonzero(may_be_shown)]
    removed = {reason: count for record in page.trace for reason, count in record.removed.items()}
    assert removed["excluded"] == 2
    assert removed["purchase_cycle"] == 1
    assert removed["adult"] == 1
    assert {name for name, _ in metrics.stages} == {"home"}


async def test_a_shopper_nobody_knows_gets_a_full_page() -> None:
    channels = live(ranki2i=[], mind=[], again=[], category_hot=[], hot=range(1, 400))
    pipeline = assemble("home", home(), channels, CATALOGUE, {"bst": RuleModel(float)}, tables=TABLES)
    page = await runner.run(pipeline, shopper(), 100, time.monotonic() + 30, time.monotonic)
    assert len(page.items) == 100
    assert page.degraded == ()


def test_a_channel_the_snapshot_lacks_is_left_out_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        channels = live(hot=[1], ranki2i=[2])
        pipeline = assemble("home", home(), channels, CATALOGUE, {"bst": RuleModel(float)}, tables=TABLES)
    assert pipeline.channel_names == ("ranki2i", "hot")
    assert "scene home goes without channel mind" in caplog.text
    assert describe(home(), pipeline)["switched_off"] == ["mind", "again", "category_hot"]


def test_a_channel_that_most_shops_lack_is_left_out_without_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = home("scenes: {home: {channels: {similar_look: {}, hot: {}}, ranking: {enabled: false}}}")
    with caplog.at_level(logging.INFO):
        pipeline = assemble("home", scene, live(hot=[1]), CATALOGUE, {}, tables=TABLES)
    assert pipeline.channel_names == ("hot",)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("scene", "key"),
    [
        (
            "channels: {mind: {}}, ranking: {enabled: false}",
            "scenes.home.channels: no channel with a share live",
        ),
        ("ranking: {model: gbm}", "scenes.home.ranking.model: the model gbm is not live; live are bst"),
        ("prerank: {model: two}", "scenes.home.prerank.model: the model two is not live; live are bst"),
        (
            "ranking: {enabled: false}, backfill: {channel: again}",
            "scenes.home.backfill.channel: the channel again is not live; live are hot",
        ),
    ],
)
def test_what_cannot_do_without_is_refused(scene: str, key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        assemble(
            "home",
            home(f"scenes: {{home: {{{scene}}}}}"),
            live(hot=[1]),
            CATALOGUE,
            {"bst": RuleModel(float)},
        )


def test_ranking_switched_off_needs_no_scorer() -> None:
    scene = home("scenes: {home: {ranking: {enabled: false}}}")
    assert assemble("home", scene, live(hot=[1]), CATALOGUE, {}).ranking is None


async def test_a_scene_with_prerank_ranks_what_it_keeps_of_many() -> None:
    scene = home(
        "scenes: {home: {channels: {hot: {k: 400}}, candidates: 20, oversample: 1.0,"
        " prerank: {candidates: 200, timeout_ms: 2000}, ranking: {timeout_ms: 2000}}}"
    )
    light, bst = RuleModel(float), RuleModel(lambda item: -item)
    scorers = {"bst": bst, "prerank": light}
    pipeline = assemble("home", scene, live(hot=range(1, 401)), CATALOGUE, scorers, split=Split(5, 2))
    page = await runner.run(pipeline, shopper(), 10, time.monotonic() + 30, time.monotonic)
    assert page.items.items.tolist() == list(range(181, 191))
    assert light.scored == [200]
    assert bst.scored == [10, 10]
    described = describe(scene, pipeline)
    assert described["prerank"] == {"candidates": 200, "model": "prerank", "timeout_ms": 2000}
    assert json.loads(json.dumps(described)) == described


def test_describe_lists_the_live_components_and_fits_json() -> None:
    scene = home()
    channels = live(**{name: [1] for name in CHANNELS})
    pipeline = assemble("home", scene, channels, CATALOGUE, {"bst": RuleModel(float)}, tables=TABLES)
    described = describe(scene, pipeline)
    assert json.loads(json.dumps(described)) == described
    assert [channel["name"] for channel in described["channels"]] == list(scene.channels)
    assert described["channels"][0]["share"] == scene.channels["ranki2i"].share
    filters = {part["name"]: part for part in described["filters"]}
    assert filters["purchase_cycle"]["learned"] is True
    assert filters["purchase_cycle"]["window_days"] == 1.0
    rerankers = {part["name"]: part for part in described["rerank"]}
    assert rerankers["mmr"]["tradeoff"] == 0.95
    assert list(rerankers) == list(scene.rerank)
    assert described["ranking"]["model"] == "bst"
    assert described["backfill"]["channel"] == "hot"


def test_describe_lists_a_filter_the_scene_does_not_name() -> None:
    scene = home("scenes: {home: {ranking: {enabled: false}}}")
    always = scene.model_copy(update={"filters": {"excluded": ExcludedSettings()}})
    described = describe(scene, assemble("home", always, live(hot=[1]), CATALOGUE, {}))
    assert described["filters"] == [{"name": "excluded"}]
    assert described["ranking"] is None


async def test_while_the_model_fails_the_fitted_ranker_orders_the_page() -> None:
    model = RuleModel(float, error=DependencyError("Triton is down"))
    scene = home(
        "scenes: {home: {channels: {hot: {share: 0.1}, again: {}}, oversample: 2.0,"
        " ranking: {scorers: {triton: {}, logistic: {}}, merge: {log_odds: {}}}}}"
    )
    channels = live(hot=range(1, 50), again=[40, 41, 42])
    pipeline = assemble("home", scene, channels, CATALOGUE, {"bst": model}, tables=TABLES)
    page = await runner.run(pipeline, shopper(), 5, time.monotonic() + 30, time.monotonic)
    # Items that two channels recall have the best odds by the default weights.
    assert set(page.items.items[:3].tolist()) <= {1, 2, 40, 41, 42}
    assert (np.diff(page.items.score) <= 0).all()
    assert ((page.items.score > 0) & (page.items.score < 1)).all()
    assert page.degraded == ("ranking",)
