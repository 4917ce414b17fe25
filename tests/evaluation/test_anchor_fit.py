"""Fitting the order of pages about an item: next items of later baskets, with the odds of all candidates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evaluation.anchor_fit import AnchorSample, fit_anchor_rankers, regression_of
from evaluation.anchor_spread import WEIGHTS
from evaluation.served_scene import ServedScene
from models.interaction_log import InteractionLog
from recall.build import build_channels, open_channels
from recall.build_events import build_events
from recall.channel import BuildSource, Services
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from recall.triggers import TriggerSettings
from router.ranking.anchor_ranker.inputs import input_names
from router.ranking.anchor_ranker.table import ANCHOR_RANKER, AnchorRankerTableSettings
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, read_scenes
from testing.synthetic_shop import synthetic_dataset

SCENE = read_scenes(
    b"""
scenes:
  similar_items:
    channels: {bought_together: {}, hot: {}}
    ranking: {scorers: {anchor_ranker: {}}}
""",
    "scenes.yaml",
    KnownNames(CHANNELS),
)["similar_items"]


def _no_model(name: str) -> None:
    raise AssertionError(name)


@pytest.mark.slow
def test_it_learns_of_later_baskets_and_says_where_it_cannot(tmp_path: Path) -> None:
    dataset = synthetic_dataset(tmp_path / "shop", users=150, items=60, events=9_000, seed=5)
    cuts = dataset.manifest.cuts
    events, users = build_events(dataset.events()), dataset.users()
    events = events.filter(pl.col("ts") < cuts.test_from)
    source = BuildSource(
        events=events.filter(pl.col("ts") < cuts.valid_from),
        users=users,
        catalogue=dataset.catalogue,
        now=cuts.valid_from - 1,
        vectors={},
        seed=1,
    )
    log = InteractionLog.from_frames(
        events, users, dataset.catalogue.size, np.asarray(dataset.catalogue.category)
    )
    recall = RecallSettings()
    for name in CHANNELS:
        if name not in SCENE.channels:
            off = getattr(recall, name).model_copy(update={"enabled": False})
            recall = recall.model_copy(update={name: off})
    build_channels(source, tmp_path / "channels", recall)
    channels = open_channels(tmp_path / "channels", dataset.catalogue, Services(_no_model), recall)
    tables = tables_of([SCENE])
    settings = {name: kind.settings() for name, kind in tables.items()}

    def fit(least: int, **spread: float) -> object:
        few = AnchorRankerTableSettings(
            max_pairs=60,
            least_taken=least,
            compared_items=8,
            compared_draws=2,
            compared_shoppers=6,
            **spread,  # type: ignore[arg-type]
        )
        scene = ServedScene("similar_items", SCENE, tables, settings | {ANCHOR_RANKER.name: few})
        later = events.filter(pl.col("ts") >= cuts.valid_from)
        return fit_anchor_rankers(
            [scene],
            lambda shoppers: log,
            replace(source, events=later, now=cuts.test_from - 1),
            source,
            tmp_path / "learned",
            channels,
            {},
            TriggerSettings(),
        )

    found = fit(5)
    assert found == fit(5)
    assert not found.off  # type: ignore[attr-defined]
    scene = found.scenes["similar_items"]  # type: ignore[attr-defined]
    assert scene.channels == ("bought_together", "hot")
    assert scene.inputs == input_names(scene.channels)
    for each in (scene.known, scene.anonymous):
        assert 5 <= each.taken <= each.pages <= 60
        assert each.popularity_weight in np.round(WEIGHTS, 2)
    alike = fit(5, most_overlap=1.0, least_distinct=0.0).scenes["similar_items"]  # type: ignore[attr-defined]
    apart = fit(5, least_distinct=1.0).scenes["similar_items"]  # type: ignore[attr-defined]
    assert {alike.known.popularity_weight, alike.anonymous.popularity_weight} == {0.0}
    assert {apart.known.popularity_weight, apart.anonymous.popularity_weight} == {1.0}
    off = fit(61)
    assert not off.scenes  # type: ignore[attr-defined]
    assert "have the next item of the basket; 61 are needed" in off.off["similar_items"]  # type: ignore[attr-defined]


def test_a_part_of_the_candidates_gives_the_odds_of_all() -> None:
    rng = np.random.default_rng(3)
    names = input_names(("hot",))
    inputs = rng.normal(size=(20_000, len(names))).astype(np.float32)
    told = inputs[:, names.index("anchor.lift")]
    taken = rng.random(len(inputs)) < 1 / (1 + np.exp(3.0 - told))
    kept = taken | (rng.random(len(inputs)) < 0.25)
    found = regression_of(AnchorSample(inputs[kept], taken[kept], 100, 0.25), ("hot",), 1.0)
    weights = np.array(found.weights) / np.array(found.scale)
    bias = found.bias - weights @ np.array(found.mean)
    assert weights[names.index("anchor.lift")] == pytest.approx(1.0, abs=0.1)
    assert bias == pytest.approx(-3.0, abs=0.1)
    assert found.taken == taken.sum()
