"""The value of a scene: the objectives that its scorer gives, and the merge that weighs them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.load import with_experiments
from pipeline.candidates import PROBABILITY, Candidates, unscored
from pipeline.plan import Page
from pipeline.stages import Model
from recall.registry import CHANNELS as CHANNELS_KNOWN
from router.ranking.log_odds_merge import log_odds_of
from router.ranking.logistic.inputs import input_names
from router.ranking.objectives.fitted import (
    FILE,
    FittedClick,
    FittedObjectives,
    FittedPurchase,
    SceneObjectives,
)
from router.ranking.objectives.scorer import COLUMNS, SCORER, ObjectivesSettings, price_parts
from router.ranking.objectives.table import NAME, OBJECTIVES, ObjectivesTableSettings
from router.ranking.registry import MERGES
from router.ranking.scorer_kind import ScorerContext
from router.ranking.value_merge import ValueSettings
from router.scenes.load import KnownNames, read_scenes
from router.service.answer import build_response
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import NOW, make_catalogue, make_query, make_source

CHANNELS = ("hot",)
OWN = {
    "triton.score": np.array([0.2, 0.4, 0.6], np.float32),
    "logistic.score": np.array([0.5, 0.5, 0.5], np.float32),
    "logistic.with_model": np.zeros(3, np.float32),
    "logistic.model_weight": np.ones(3, np.float32),
}
GIVEN = {
    "objectives.click_slope": np.full(3, 2.0, np.float32),
    "objectives.click_offset": np.full(3, -1.0, np.float32),
    "objectives.purchase_given_click": np.array([0.5, 0.25, 0.1], np.float32),
    "objectives.price": np.array([1.0, 0.5, 0.25], np.float32),
}


def merged(weights: dict[str, float], columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    found = MERGES["value"].create(ValueSettings(weights=weights)).merge(columns)
    assert found is not None
    assert found.column == "triton.score"
    return found.values, found.probability


def click() -> np.ndarray:
    odds = 2 * log_odds_of(OWN["triton.score"]) - 1
    return 1 / (1 + np.exp(-odds))


def test_the_value_is_the_weighted_mean_of_the_objectives() -> None:
    weights = {"click": 1.0, "purchase_given_click": 0.5, "purchase": 2.0, "price": 0.25, "gmv": 4.0}
    after, price = GIVEN["objectives.purchase_given_click"], GIVEN["objectives.price"]
    expected = click() + 0.5 * after + 2 * click() * after + 0.25 * price + 4 * click() * after * price
    values, probability = merged(weights, OWN | GIVEN)
    np.testing.assert_allclose(values, expected / 7.75, rtol=1e-5)
    assert probability is not None
    np.testing.assert_allclose(probability, click(), rtol=1e-5)


@given(st.lists(st.floats(0, 100), min_size=5, max_size=5).filter(any))
def test_the_value_stays_within_0_and_1(weights: list[float]) -> None:
    names = ("click", "purchase_given_click", "purchase", "price", "gmv")
    values, _ = merged(dict(zip(names, weights, strict=True)), OWN | GIVEN)
    assert values.dtype == np.float32
    assert ((values >= 0) & (values <= 1 + 1e-6)).all()


def test_a_column_of_another_scorer_counts_and_is_left_out_where_it_failed() -> None:
    weights = {"click": 1.0, "satisfaction.score": 3.0}
    liked = {"satisfaction.score": np.array([0.0, 0.0, 1.0], np.float32)}
    values, _ = merged(weights, OWN | GIVEN | liked)
    np.testing.assert_allclose(values, (click() + 3 * liked["satisfaction.score"]) / 4, rtol=1e-5)
    np.testing.assert_allclose(merged(weights, OWN | GIVEN)[0], click(), rtol=1e-5)
    assert "satisfaction.score" in MERGES["value"].columns(ValueSettings(weights=weights))


def test_without_objectives_the_scenes_own_score_orders() -> None:
    values, probability = merged({"gmv": 1.0}, OWN)
    np.testing.assert_allclose(values, OWN["triton.score"], rtol=1e-5)
    assert probability is None
    assert MERGES["value"].create(ValueSettings()).merge(GIVEN) is None


def test_what_the_model_cannot_score_sinks_whatever_it_costs() -> None:
    columns = OWN | GIVEN
    columns["triton.score"] = np.array([0.2, np.nan, 0.6], np.float32)
    values, _ = merged({"price": 1.0}, columns)
    assert np.isnan(values).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "weights", [{}, {"click": 0.0}, {"click": -1.0}, {"click": 1e7}, {"clicks": 1.0}, {"click": float("inf")}]
)
def test_weights_that_make_no_value_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ValueSettings(weights=weights)


def test_prices_are_parts_of_a_dear_one_and_unknown_ones_are_usual() -> None:
    parts = price_parts(np.array([np.nan, 1.0, 2.0, 3.0, 1_000.0, 0.0], np.float32))
    assert parts[4] == 1
    assert parts[0] == parts[5] == pytest.approx(2.5 / np.quantile([1, 2, 3, 1_000], 0.95))
    assert not price_parts(np.full(3, np.nan, np.float32)).any()


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("shop"), (1, 1, 2))


def candidates() -> Candidates:
    zeros = np.zeros(3, np.int32)
    rows = unscored(
        np.array([1, 2, 3], np.int32), zeros.astype(np.uint32) + 1, zeros.astype(np.float32), zeros
    )
    return rows.with_columns({"rank.hot": np.array([1, 2, 3], np.float32)})


def given_by(catalogue: Catalogue, folder: Path, fitted: FittedObjectives) -> dict[str, np.ndarray]:
    """The columns of a table that was built from what was fitted, and opened."""
    source = make_source(catalogue, [(1, 1, 2, NOW - 60)])
    (folder / "fitted").mkdir()
    (folder / "table").mkdir()
    fitted.write(folder / "fitted")
    source = replace(source, fitted={NAME: folder / "fitted"})
    OBJECTIVES.build(source, folder / "table", ObjectivesTableSettings())
    table = OBJECTIVES.open(folder / "table", catalogue, ObjectivesTableSettings())
    scorer = SCORER.open(ScorerContext(catalogue, {}, tables={NAME: table}), ObjectivesSettings())
    found = asyncio.run(scorer.score(make_query(), candidates()))  # type: ignore[union-attr]
    assert tuple(found) == COLUMNS
    return dict(found)


def test_the_scorer_gives_what_was_fitted_of_the_querys_scene(catalogue: Catalogue, tmp_path: Path) -> None:
    names = input_names(CHANNELS)
    weights = [0.0] * len(names)
    weights[names.index("rank.hot.inverse")] = 2.0
    fitted = SceneObjectives(
        channels=CHANNELS,
        inputs=names,
        click=FittedClick(slope=1.5, offset=-0.5),
        purchase_given_click=FittedPurchase(
            mean=(0.0,) * len(names), scale=(1.0,) * len(names), weights=tuple(weights), bias=-1.0
        ),
    )
    scene = make_query().scene
    found = given_by(catalogue, tmp_path, FittedObjectives(scenes={scene: fitted}))
    ranks = 10 / (9 + np.array([1, 2, 3]))
    np.testing.assert_allclose(found["purchase_given_click"], 1 / (1 + np.exp(1 - 2 * ranks)), rtol=1e-5)
    assert found["click_slope"].tolist() == [1.5] * 3
    assert found["click_offset"].tolist() == [-0.5] * 3


def test_what_is_switched_off_is_its_rate_and_an_unfitted_scene_its_own_score(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    off = SceneObjectives(purchase_given_click=FittedPurchase(rate=0.25, off="too few"))
    fitted = FittedObjectives(scenes={make_query().scene: off, "other": off}, price_off="no prices")
    assert given_by(catalogue, tmp_path, fitted)["purchase_given_click"].tolist() == [0.25] * 3
    assert [each[:2] for each in fitted.switched_off()] == [
        (scene, objective)
        for scene in (make_query().scene, "other")
        for objective in ("purchase_given_click", "price")
    ]
    (tmp_path / "again").mkdir()
    unfitted = given_by(catalogue, tmp_path / "again", FittedObjectives())
    assert unfitted["purchase_given_click"].tolist() == [1.0] * 3
    assert (unfitted["click_slope"][0], unfitted["click_offset"][0]) == (1, 0)


def test_a_torn_file_and_one_of_other_inputs_are_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"scenes": {"home": {"channels": ["hot"], "inputs": ["other"]}}}')
    with pytest.raises(SnapshotError, match="other inputs"):
        OBJECTIVES.open(tmp_path, catalogue, ObjectivesTableSettings())
    (tmp_path / FILE).write_text('{"scenes": ')
    with pytest.raises(SnapshotError, match="cannot be read"):
        FittedObjectives.read(tmp_path)


def test_an_answer_shows_the_probability_as_score_and_the_value_beside_it(catalogue: Catalogue) -> None:
    rows = candidates().with_score(np.array([0.5, 0.25, np.nan], np.float32))
    shown = {}
    for name, columns in (("plain", {}), ("value", {PROBABILITY: np.array([0.125, 0.75, 0.5], np.float32)})):
        page = Page(rows.with_columns(columns), (), [], Model("bst", "1"))
        shown[name] = build_response(
            page, catalogue, CHANNELS, scene="home", snapshot_id="", request_id="", arms={}, degraded=()
        ).items
    assert [item.score for item in shown["value"]] == [0.125, 0.75, 0.5]
    assert [item.value for item in shown["value"]] == [0.5, 0.25, 0]
    assert [item.score for item in shown["plain"]] == [0.5, 0.25, 0]
    assert not any(item.HasField("value") for item in shown["plain"])


def test_an_experiment_changes_what_a_scene_weighs() -> None:
    known = KnownNames(CHANNELS_KNOWN)
    scenes = read_scenes(
        b"""
scenes:
  home:
    channels: {hot: {}}
    ranking:
      scorers: {triton: {}, logistic: {}, objectives: {}}
      merge: {value: {weights: {click: 1.0}}}
""",
        "scenes.yaml",
        known,
    )
    experiments = b"""
layers:
  value:
    experiments:
      dearer:
        arms:
          control: {share_bp: 5000}
          dear: {share_bp: 5000, patch: {ranking: {merge: {value: {weights: {gmv: 2.0}}}}}}
"""
    plan = with_experiments(scenes, experiments, "experiments.yaml", known).plans["home"]
    weights = {
        choice.arms.get("dearer"): choice.settings.ranking.merge.settings.weights  # type: ignore[union-attr, attr-defined]
        for choice in plan.choices.values()
    }
    assert weights["control"] == {"click": 1.0}
    assert weights["dear"] == {"click": 1.0, "gmv": 2.0}
