"""Fitting the last layer: on what the scene recalled at the validation cut, and for later pages too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evaluation.loaded_models import LoadedModel
from evaluation.ranker_fit import fit_ranker, only
from evaluation.ranker_weights import RankedSample, weights_of
from evaluation.served_scene import ServedScene
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, record_of
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.kind import profile_counts
from recall.build_events import build_events
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.last_layer import LastLayer
from router.ranking.logistic.table import LogisticRankerSettings, NetworkSettings
from router.ranking.logistic.weights import NewcomerPart, Weights, default_weights, scaled
from router.ranking.objectives.table import OBJECTIVES, ObjectivesTableSettings
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, read_scenes
from router.scenes.ranking_settings import RankingSettings
from router.scenes.settings import SceneSettings
from snapshot import log_parts
from snapshot.dataset import Dataset
from testing.synthetic_shop import synthetic_dataset

SCENE = read_scenes(
    b"""
scenes:
  home:
    channels: {ranki2i: {}, again: {}, hot: {share: 0}}
    backfill: {channel: hot}
    ranking: {scorers: {triton: {}, logistic: {}}, merge: {log_odds: {}}}
""",
    "scenes.yaml",
    KnownNames(CHANNELS),
)["home"]
NAMES = ("ranki2i", "again", "hot")
REGRESSION = NetworkSettings(each_third=0)
SETTINGS = LogisticRankerSettings(prior_strength=1.0, networks=REGRESSION)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return synthetic_dataset(tmp_path_factory.mktemp("shop"), users=150, items=300, events=9_000, seed=5)


@pytest.fixture(scope="module")
def bst(dataset: Dataset) -> LoadedModel:
    """An untrained network: its scores say nothing of what is taken."""
    settings = BstNetworkSettings()
    features = ItemFeatures.from_catalogue(dataset.catalogue)
    network = Bst(settings, features, profile_counts(dataset)).eval()
    record = record_of("bst", settings, TrainedOn.of(dataset), seed=1, steps=0, metrics={}, training={})
    return LoadedModel.of(network, record)


def scene_of(name: str, settings: SceneSettings) -> ServedScene:
    tables = tables_of([settings])
    return ServedScene(name, settings, tables, {table: kind.settings() for table, kind in tables.items()})


def fit(
    dataset: Dataset,
    bst: LoadedModel,
    seed: int = 1,
    *,
    awaited: bool = False,
    joined: Sequence[ServedScene] = (),
    shift_takes: int = 1_000,
) -> Weights:
    return fit_ranker(
        dataset,
        {} if awaited else {"bst": bst},
        RecallSettings(),
        scene_of("home", SCENE),
        LogisticRankerSettings(max_shoppers=20, shift_takes=shift_takes),
        model="bst",
        seed=seed,
        joined=joined,
        awaited=(lambda: bst) if awaited else None,
    ).weights


def test_it_learns_from_the_scenes_candidates_of_the_validation_range(
    dataset: Dataset, bst: LoadedModel
) -> None:
    learned = fit(dataset, bst)
    cuts = dataset.manifest.cuts
    assert learned.inputs == input_names(NAMES)
    assert learned.channels == NAMES
    assert learned.model == "bst"
    assert learned.window_days == pytest.approx((cuts.test_from - cuts.valid_from) / 86_400)
    assert 10 < learned.shoppers <= 20
    assert learned.shoppers < learned.taken < learned.candidates <= learned.shoppers * SCENE.candidates
    assert fit(dataset, bst, awaited=True) == learned, "the model may come when all else is done"
    assert fit(dataset, bst, seed=2) != learned


def test_other_scenes_are_moved_to_what_is_taken_of_their_candidates(
    dataset: Dataset, bst: LoadedModel
) -> None:
    bare = SCENE.model_copy(update={"ranking": RankingSettings(enabled=False)})
    own = bare.model_copy(update={"channels": {"again": SCENE.channels["again"]}})
    scenes = [scene_of("same", bare), scene_of("own", own)]
    plain, found = fit(dataset, bst), fit(dataset, bst, joined=scenes)
    assert plain.scene_shifts == {}
    assert found.model_copy(update={"scene_shifts": {}}) == plain
    same, other = found.scene_shifts["same"], found.scene_shifts["own"]
    assert (same.alone, same.beside) == pytest.approx((0, 0), abs=1e-4)
    assert same.taken == plain.taken
    assert 0 < other.taken < same.taken
    assert abs(other.alone) > 0.01
    few = fit(dataset, bst, joined=scenes, shift_takes=30).scene_shifts["same"]
    assert 30 <= few.taken < same.taken, "of as many shoppers as are needed"


def test_the_fit_reads_the_logs_of_the_shoppers_asked_and_works_on_the_rest_in_parts(
    dataset: Dataset, bst: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = fit(dataset, bst)
    monkeypatch.setattr(log_parts, "ROWS_AT_ONCE", 400)
    asked: list[int] = []
    of_shoppers = InteractionLog.of_shoppers.__func__  # type: ignore[attr-defined]

    def noted(cls: type, *given: object) -> InteractionLog:
        made: InteractionLog = of_shoppers(cls, *given)
        asked.append(len(np.unique(made.behaviours.user)))
        return made

    monkeypatch.setattr(InteractionLog, "of_shoppers", classmethod(noted))
    assert fit(dataset, bst) == learned
    assert 1 <= max(asked) <= 20


def test_the_log_of_some_shoppers_is_a_part_of_everybodys(dataset: Dataset) -> None:
    cuts, users = dataset.manifest.cuts, dataset.users()
    whole = InteractionLog.of_events(
        build_events(dataset.events().filter(pl.col("ts") < cuts.test_from)), users, dataset
    )
    part = InteractionLog.of_shoppers(dataset, users, [3, 7, 40], cuts.test_from)
    for name in ("behaviours", "impressions", "carts"):
        mine, theirs = getattr(part, name), getattr(whole, name)
        assert len(mine.offsets) == len(theirs.offsets)
        for user in (3, 7, 40):
            own, all_of = (slice(each.offsets[user], each.offsets[user + 1]) for each in (mine, theirs))
            for column in ("item", "ts"):
                assert getattr(mine, column)[own].tolist() == getattr(theirs, column)[all_of].tolist()
        assert mine.offsets[-1] == sum(theirs.offsets[user + 1] - theirs.offsets[user] for user in (3, 7, 40))
    assert len(part.behaviours) > 20
    np.testing.assert_array_equal(part.profile, whole.profile)


VALUED = read_scenes(
    b"""
scenes:
  home:
    channels: {again: {}, hot: {}}
    ranking:
      scorers: {logistic: {}, objectives: {}}
      merge: {value: {model: "", weights: {click: 1.0, gmv: 2.0}}}
""",
    "scenes.yaml",
    KnownNames(CHANNELS),
)["home"]


@pytest.mark.slow
def test_objectives_are_fitted_on_the_scenes_candidates_and_on_impressions(
    dataset: Dataset, bst: LoadedModel
) -> None:
    tables = tables_of([VALUED])
    few = {OBJECTIVES.name: ObjectivesTableSettings(least_outcomes=10)}
    scene = ServedScene(
        "home", VALUED, tables, {name: kind.settings() for name, kind in tables.items()} | few
    )
    settings = LogisticRankerSettings(max_shoppers=60)
    found = fit_ranker(
        dataset, {"bst": bst}, RecallSettings(), scene, settings, model="bst", seed=1, valued=[scene]
    ).objectives
    assert list(found.scenes) == ["home"]
    home = found.scenes["home"]
    assert home.channels == ("again", "hot")
    # The made-up shop logs what it shows: a click is one of an impression, not all of which lead to one.
    assert home.click.per == "impression"
    assert 0.2 < home.click.clicked / home.click.rows < 0.8
    assert 0 < home.purchase_given_click.rate < 1
    assert len(home.purchase_given_click.weights) == len(home.inputs)
    assert list(found.switched_off()) == []


def sample(count: int, telling: str, seed: int, model: bool) -> RankedSample:
    """Candidates that are taken by one input alone, or by the model's log-odds alone."""
    random = np.random.default_rng(seed)
    names = input_names(NAMES)
    inputs = random.standard_normal((count, len(names))).astype(np.float32)
    inputs[:, names.index("item.trend")] = 3
    # Nobody is a newcomer.
    inputs[:, names.index("shopper.count")] += 20
    odds = (5 * random.standard_normal(count)).astype(np.float32)
    cause = odds / 2 if model else 2 * inputs[:, names.index(telling)]
    taken = random.random(count) < 1 / (1 + np.exp(-(cause - 1)))
    shopper = np.arange(count, dtype=np.int32) % 10
    return RankedSample(inputs, odds, taken, 10, shopper, shopper + 1, np.arange(10, dtype=np.int32))


def test_the_input_that_tells_gets_the_weight_and_the_model_none() -> None:
    learned = weights_of(sample(20_000, "item.bought", 1, model=False), NAMES, SETTINGS)
    place = learned.inputs.index("item.bought")
    assert learned.alone[place] == pytest.approx(2, abs=0.15)
    assert learned.with_model[place] == pytest.approx(2, abs=0.15)
    assert learned.model_weight == pytest.approx(0, abs=0.02)
    assert max(abs(each) for row, each in enumerate(learned.alone) if row != place) < 0.15


def test_a_model_that_tells_gets_its_own_scale_back() -> None:
    learned = weights_of(sample(20_000, "item.bought", 2, model=True), NAMES, SETTINGS)
    assert learned.model_weight == pytest.approx(0.5, abs=0.03)
    assert learned.with_model_bias == pytest.approx(-1, abs=0.15)


def newcomers_sample(count: int, seed: int) -> RankedSample:
    """What sells is taken by whom nothing is known of, and not by others."""
    random = np.random.default_rng(seed)
    names = input_names(NAMES)
    inputs = random.standard_normal((count, len(names))).astype(np.float32)
    new = np.arange(count) >= count * 3 // 4
    inputs[:, names.index("shopper.count")] = np.where(new, 0, np.log1p(1e6))
    cause = np.where(new, 2, -1) * inputs[:, names.index("item.shoppers")]
    taken = random.random(count) < 1 / (1 + np.exp(-(cause - 1)))
    shopper = np.arange(count, dtype=np.int32) * 20 // count
    users = np.concatenate((np.arange(1, 16), np.arange(1, 6))).astype(np.int32)
    return RankedSample(
        inputs,
        np.zeros(count, np.float32),
        taken,
        20,
        shopper,
        shopper + 1,
        users,
        before=np.zeros(count, np.bool_),
        newcomer=np.arange(20) >= 15,
    )


def test_newcomers_get_weights_of_their_own() -> None:
    drawn = newcomers_sample(40_000, 7)
    learned = weights_of(drawn, NAMES, SETTINGS)
    assert learned.shoppers == 15
    place = learned.inputs.index("item.shoppers")
    assert learned.alone[place] == pytest.approx(-1, abs=0.15)
    assert learned.alone[place] + learned.newcomer.alone[place] == pytest.approx(2, abs=0.15)
    assert learned.with_model[place] + learned.newcomer.with_model[place] == pytest.approx(2, abs=0.15)
    untold = [row for row, name in enumerate(learned.inputs) if name.startswith(("brand.", "shopper."))]
    assert {learned.newcomer.alone[row] for row in untold} == {0.0}
    odds = learned.alone_calibration.of(LastLayer.of(learned).log_odds(drawn.inputs)[0][:, 0])
    new = drawn.shopper >= 15
    for who in (new, ~new):
        assert (1 / (1 + np.exp(-odds[who]))).mean() == pytest.approx(drawn.taken[who].mean(), rel=0.1)


def test_scores_are_calibrated_whatever_numbers_the_shoppers_have() -> None:
    drawn = sample(20_000, "item.bought", 10, model=False)
    found = [
        weights_of(replace(drawn, users=users), NAMES, SETTINGS).alone_calibration
        for users in (drawn.users, 3 * drawn.users)
    ]
    assert found[0] == found[1]


def test_without_newcomers_the_weights_know_none() -> None:
    learned = weights_of(newcomers_sample(8_000, 8), NAMES, SETTINGS.model_copy(update={"newcomers": 0.0}))
    assert learned.newcomer == NewcomerPart()


def test_a_sample_without_its_newcomers_is_of_whole_histories() -> None:
    drawn = newcomers_sample(400, 9).without_newcomers()
    assert (drawn.shoppers, len(drawn.users), len(drawn.taken)) == (15, 15, 300)
    assert drawn.without_newcomers() is drawn


def test_probabilities_are_those_observed() -> None:
    drawn = sample(50_000, "item.bought", 3, model=False)
    learned = weights_of(drawn, NAMES, SETTINGS)
    inputs = scaled(drawn.inputs, np.array(learned.mean, np.float32), np.array(learned.scale, np.float32))
    predicted = 1 / (1 + np.exp(-(inputs @ np.array(learned.alone) + learned.alone_bias)))
    for tenth in np.array_split(np.argsort(predicted), 10):
        assert drawn.taken[tenth].mean() == pytest.approx(predicted[tenth].mean(), abs=0.03)


def test_an_input_that_never_varies_keeps_its_default() -> None:
    learned = weights_of(sample(5_000, "item.bought", 4, model=False), NAMES, SETTINGS)
    place = learned.inputs.index("item.trend")
    assert (learned.scale[place], learned.alone[place]) == (1.0, 0.0)


@pytest.mark.parametrize("label", [False, True])
def test_a_sample_of_one_label_gives_the_default_weights(label: bool) -> None:
    drawn = sample(100, "item.bought", 5, model=False)
    alike = replace(drawn, taken=np.full(100, label))
    assert weights_of(alike, NAMES, SETTINGS) == default_weights(NAMES, input_names(NAMES))


def test_models_scores_that_are_nan_do_not_spoil_the_fit() -> None:
    drawn = sample(2_000, "item.bought", 6, model=True)
    drawn.model[::7] = np.nan
    assert np.isfinite(weights_of(drawn, NAMES, SETTINGS).model_weight)


def test_only_the_channels_asked_are_built(tmp_path: Path) -> None:
    settings = only(RecallSettings(), ("again",))
    assert {name for name in CHANNELS if getattr(settings, name).enabled} == {"again"}
