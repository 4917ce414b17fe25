"""What the rules make of the takes that models are trained on, from the data set to the network."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evaluation.rankers.log_examples import learning_ranges
from evaluation.sample_rules.registry import SAMPLE_RULES, SampleRulesSettings
from evaluation.sample_rules.rule import GeneralRuleSettings
from evaluation.sample_rules.training import Counted, counted_takes, training_weights
from models.checkpoint import load_checkpoint
from models.class_weights import ClassWeightSettings
from models.interaction_log import InteractionLog
from models.labelled_points import with_candidates
from models.negatives import NegativeSampler
from models.registry import MODELS
from models.samples import cut_points
from models.settings import NegativeSettings, SampleSettings, TrainingSettings
from shopfront.sample_rules_command import counts_table
from shopfront.training import train_model
from snapshot import Dataset
from snapshot.event_codes import IMPRESSION, PURCHASE
from testing.synthetic_shop import synthetic_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return synthetic_dataset(tmp_path_factory.mktemp("shop"), users=60, items=80, events=6_000, seed=5)


def rules(**sections: dict[str, object]) -> SampleRulesSettings:
    return SampleRulesSettings.model_validate(sections)


def test_rules_act_on_models_by_their_own_switch() -> None:
    chosen = rules(
        graded_labels={"models": True}, truncated_counts={"enabled": True}, aware_shoppers={"enabled": True}
    )
    assert list(chosen.of_models()) == ["graded_labels"]
    assert chosen.enabled() == ("truncated_counts", "aware_shoppers")
    assert SampleRulesSettings().of_models() == {}
    general = {name for name, rule in SAMPLE_RULES.items() if issubclass(rule.settings, GeneralRuleSettings)}
    assert set(SAMPLE_RULES) - general == {"aware_shoppers"}


def test_weights_are_of_training_alone_and_of_all_rules_together(dataset: Dataset, tmp_path: Path) -> None:
    events, cut = dataset.events().collect(), dataset.manifest.cuts.valid_from
    staff = dataset.users()["user_id"][:20].to_list()
    (tmp_path / "staff").write_text("\n".join(staff))
    graded = rules(graded_labels={"models": True}).of_models()
    both = rules(
        graded_labels={"models": True}, listed={"models": True, "deny_users": tmp_path / "staff"}
    ).of_models()
    weights = training_weights(dataset, graded)
    assert weights is not None
    learned = (events["ts"] < cut).to_numpy()
    taken = (events["event"] != IMPRESSION).to_numpy()
    assert (weights[~learned] == 1).all()
    assert weights[learned & taken].mean() == pytest.approx(1)
    bought = (events["event"] == PURCHASE).to_numpy()
    assert weights[learned & bought].min() > 1 > weights[learned & taken].min()
    together = training_weights(dataset, both)
    assert together is not None
    denied = events["user"].is_in(list(range(1, 21))).to_numpy()
    np.testing.assert_allclose(together[learned], np.where(denied, 0, weights)[learned], rtol=1e-6)
    assert training_weights(dataset, {}) is None


def test_points_carry_the_weights_and_those_that_count_nothing_are_none(dataset: Dataset) -> None:
    random = np.random.default_rng(0)
    weights = random.choice([0, 1, 2], dataset.manifest.rows["events"]).astype(np.float32)
    plain, log = (InteractionLog.from_dataset(dataset, weights=each) for each in (None, weights))
    behaviours, settings = log.behaviours, SampleSettings(positives=3, horizon=600)
    assert behaviours.weight is not None
    span = (0, dataset.manifest.cuts.valid_from)
    points = cut_points(log, settings, span, np.random.default_rng(1), max_points=10**6)
    assert points.weights is not None
    for row in range(len(points)):
        own = (behaviours.user == points.user[row]) & (behaviours.ts >= points.now[row])
        own &= (behaviours.ts <= points.now[row] + 600) & (behaviours.ts < span[1])
        assert behaviours.weight[own & (behaviours.ts == points.now[row])].max() > 0
        for item, weight in zip(points.positives[row], points.weights[row], strict=True):
            wanted = behaviours.weight[own & (behaviours.item == item)].max() if item else 0
            assert weight == wanted
    every = cut_points(plain, settings, span, np.random.default_rng(1), max_points=10**6)
    assert every.weights is None
    assert len(points) < len(every)
    few = cut_points(log, settings, span, np.random.default_rng(1), max_points=50)
    assert few.now.tolist() == points.now[-50:].tolist()


@pytest.mark.parametrize("model", ["bst", "mind", "sequential", "forest", "rank_net"])
def test_a_rule_changes_what_is_trained_and_the_checkpoint_says_so(
    dataset: Dataset, tmp_path: Path, model: str
) -> None:
    section = MODELS[model].settings.model_validate(
        {
            "network": {"trees": 3} if model == "forest" else {},
            "samples": {"max_points": 200},
            "training": {"max_steps": 3, "evaluate_every": 3, "batch_size": 32, "validation_points": 40},
        }
    )
    (tmp_path / "denied").write_text("\n".join(dataset.users()["user_id"][:30].to_list()))
    denied = {"listed": {"models": True, "deny_users": str(tmp_path / "denied")}}

    def weights(rules: dict[str, dict[str, object]]) -> dict[str, np.ndarray]:
        made = train_model(model, dataset, section, tmp_path, lambda *_: None, {}, rules=rules)
        network, record = load_checkpoint(tmp_path / model / made.checkpoint, model)
        assert record.training.get("sample_rules") == (rules or None)
        return {name: value.numpy() for name, value in network.state_dict().items()}

    with_rule, without = weights(denied), weights({})
    assert any(not np.array_equal(with_rule[name], without[name]) for name in with_rule)


def test_a_rankers_examples_carry_the_weights_and_those_of_classes(dataset: Dataset) -> None:
    weights = np.random.default_rng(0).choice([0, 1, 2], dataset.manifest.rows["events"]).astype(np.float32)
    weights[
        (dataset.events().select("ts").collect()["ts"] >= dataset.manifest.cuts.valid_from).to_numpy()
    ] = 1
    samples = SampleSettings(positives=2, negatives=3, max_points=60)
    training = TrainingSettings(validation_points=10)
    found, plain = (learning_ranges(dataset, samples, training, each) for each in (weights, None))
    assert plain.train.counts is None
    train, counts = found.train, found.train.counts
    assert counts is not None
    assert found.valid.counts is not None
    assert (found.valid.counts == 1).all()
    taken = train.grades > 0
    for query, (first, end) in enumerate(pairwise(train.offsets.tolist())):
        own, positive = counts[first:end], taken[first:end]
        assert own.max() > 0, query
        np.testing.assert_allclose(own[~positive], own[positive].mean(), rtol=1e-6)
    assert set(counts[taken]) == {0, 1, 2}
    heavy = train.weights(ClassWeightSettings(positive=3))
    assert heavy is not None
    np.testing.assert_allclose(
        heavy / heavy.sum(), (w := counts * np.where(taken, 3, 1)) / w.sum(), rtol=1e-5
    )
    own_weights = train.weights(ClassWeightSettings())
    assert own_weights is not None
    np.testing.assert_allclose(own_weights, counts / counts.mean(), rtol=1e-6)
    assert plain.train.weights(ClassWeightSettings()) is None


def test_a_rankers_positives_are_those_of_its_samples(dataset: Dataset) -> None:
    training = TrainingSettings(validation_points=10)

    def taken(**changed: object) -> float:
        """Positives of a point, on the average."""
        samples = SampleSettings(positives=8, negatives=3, max_points=60, **changed)  # type: ignore[arg-type]
        train = learning_ranges(dataset, samples, training).train
        return float((train.grades > 0).sum() / (len(train.offsets) - 1))

    of_a_year = taken(horizon=31_536_000)
    assert of_a_year > taken(horizon=0)
    assert of_a_year > taken(horizon=31_536_000, positive_events=(PURCHASE,))


def test_negatives_count_as_the_mean_of_their_positives(dataset: Dataset) -> None:
    weights = np.random.default_rng(0).choice([0, 1, 2], dataset.manifest.rows["events"]).astype(np.float32)
    log = InteractionLog.from_dataset(dataset, weights=weights)
    span, random = (0, dataset.manifest.cuts.valid_from), np.random.default_rng(1)
    points = cut_points(log, SampleSettings(positives=3), span, random, max_points=40)
    sampler = NegativeSampler.fit(log, NegativeSettings(), span)
    labelled = with_candidates(points, sampler, 5, random)
    assert labelled.weights is not None
    assert points.weights is not None
    for row in range(len(points)):
        own = points.weights[row][points.positives[row] > 0]
        np.testing.assert_allclose(labelled.weights[row, :3][points.positives[row] > 0], own)
        np.testing.assert_allclose(labelled.weights[row, 3:], own.mean(), rtol=1e-6)


def test_counts_are_of_each_models_takes(dataset: Dataset) -> None:
    sections = rules(truncated_counts={"quantile": 0.5}).sections()
    found = counted_takes(dataset, sections, {"bst": (2, 3, 4, 5), "buyer": (PURCHASE,)})
    assert "aware_shoppers" not in found
    events = dataset.events().filter(pl.col("ts") < dataset.manifest.cuts.valid_from).collect()
    taken = events.filter(pl.col("event") != IMPRESSION)
    assert found["graded_labels"]["bst"] == Counted(taken.height, taken.height, 0)
    assert found["odd_periods"]["buyer"] == Counted(taken.filter(pl.col("event") == PURCHASE).height, 0, 0)
    assert 0 < found["truncated_counts"]["bst"].weighed < taken.height
    table = counts_table(found, ["truncated_counts"])
    assert "truncated_counts *" in list(table.columns[0].cells)
    assert [column.header for column in table.columns[1:]] == ["bst", "buyer"]
