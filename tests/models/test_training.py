"""Training: it learns, stops, repeats itself bit by bit, and reads nothing from behind the cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from features.profile import PROFILE_FIELDS
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.mind_settings import MindNetworkSettings
from models.settings import SampleSettings, TrainingSettings
from models.train_bst import train_bst
from models.train_mind import train_mind
from models.training_loop import TrainingError, train
from snapshot.dataset import Dataset
from snapshot.manifest import Cuts
from testing.synthetic_shop import synthetic_dataset

BST = BstNetworkSettings(dimension=16, heads=2, feed_forward=32, hidden=(32, 16), min_item_users=2)
MIND = MindNetworkSettings(dimension=16, interests=2, shared_negatives=128)
SAMPLES = SampleSettings(positives=4, negatives=8, max_points=4000)
SHORT = TrainingSettings(batch_size=64, max_steps=8, evaluate_every=4, validation_points=50, warmup_steps=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return synthetic_dataset(tmp_path_factory.mktemp("shop"), users=150, items=300, events=12_000)


@pytest.fixture(scope="module")
def log(dataset: Dataset) -> InteractionLog:
    return InteractionLog.from_dataset(dataset)


@pytest.fixture(scope="module")
def features(dataset: Dataset) -> ItemFeatures:
    return ItemFeatures.from_catalogue(dataset.catalogue)


def profile_counts(dataset: Dataset) -> tuple[int, ...]:
    return tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in PROFILE_FIELDS)


def small_bst(
    dataset: Dataset, log: InteractionLog, features: ItemFeatures, training: TrainingSettings
) -> tuple[Bst, dict[str, float]]:
    model, result = train_bst(
        log, features, profile_counts(dataset), dataset.manifest.cuts, BST, SAMPLES, training
    )
    return model, result.metrics


def same_weights(one: nn.Module, two: nn.Module) -> bool:
    left, right = one.state_dict(), two.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bst(
    dataset: Dataset, log: InteractionLog, features: ItemFeatures
) -> None:
    first, metrics = small_bst(dataset, log, features, SHORT)
    second, again = small_bst(dataset, log, features, SHORT)
    other, _ = small_bst(dataset, log, features, SHORT.model_copy(update={"seed": 2}))
    assert same_weights(first, second)
    assert metrics == again
    assert not same_weights(first, other)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_mind(
    dataset: Dataset, log: InteractionLog, features: ItemFeatures
) -> None:
    def trained(seed: int) -> nn.Module:
        training = SHORT.model_copy(update={"seed": seed})
        return train_mind(log, features, dataset.manifest.cuts, MIND, SAMPLES, training)[0]

    assert same_weights(trained(1), trained(1))
    assert not same_weights(trained(1), trained(2))


def test_what_happens_from_the_cut_on_cannot_change_a_weight(
    dataset: Dataset, log: InteractionLog, features: ItemFeatures
) -> None:
    """Every event from the cut on gets another item; only which weights are kept may depend on it."""
    cut = dataset.manifest.cuts.valid_from
    events = dataset.events().select("user", "item", "event", "ts").collect()
    changed = events.with_columns(
        item=pl.when(pl.col("ts") >= cut)
        .then((pl.col("item") % dataset.catalogue.size) + 1)
        .otherwise(pl.col("item"))
        .cast(pl.Int32)
    )
    assert not changed.equals(events)
    other = InteractionLog.from_frames(
        changed, dataset.users(), dataset.catalogue.size, np.asarray(dataset.catalogue.category)
    )
    # One validation, at the end: there is nothing to choose among.
    training = SHORT.model_copy(update={"evaluate_every": SHORT.max_steps})
    cuts = dataset.manifest.cuts
    assert same_weights(
        small_bst(dataset, log, features, training)[0], small_bst(dataset, other, features, training)[0]
    )
    assert same_weights(
        train_mind(log, features, cuts, MIND, SAMPLES, training)[0],
        train_mind(other, features, cuts, MIND, SAMPLES, training)[0],
    )


@pytest.mark.slow
def test_both_networks_learn_a_lawful_shop(
    dataset: Dataset, log: InteractionLog, features: ItemFeatures
) -> None:
    training = TrainingSettings(
        batch_size=64, max_steps=150, evaluate_every=50, validation_points=200, learning_rate=3e-3
    )
    _, metrics = small_bst(dataset, log, features, training)
    assert metrics["gauc"] > 0.7
    _, result = train_mind(
        log, features, dataset.manifest.cuts, MIND, SAMPLES, training.model_copy(update={"max_steps": 100})
    )
    # 200 of 300 items drawn blindly would find two thirds.
    assert result.metrics["recall@200"] > 0.8


def test_ranges_without_samples_are_named(
    dataset: Dataset, log: InteractionLog, features: ItemFeatures
) -> None:
    early = Cuts(valid_from=10, test_from=20)
    with pytest.raises(TrainingError, match="before valid_from"):
        train_bst(log, features, profile_counts(dataset), early, BST, SAMPLES, SHORT)
    late = Cuts(valid_from=2**33, test_from=2**33 + 1)
    with pytest.raises(TrainingError, match="between valid_from and test_from"):
        train_mind(log, features, late, MIND, SAMPLES, SHORT)


class Constant(nn.Module):
    """One weight, so that the loop itself can be watched."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def losses(self, value: float = 1.0) -> Iterator[Callable[[], Tensor]]:
        while True:
            yield lambda: (self.weight * 0 + value - self.weight).sum()


def test_little_data_takes_few_steps_and_much_the_whole_budget() -> None:
    settings = TrainingSettings(batch_size=256, max_steps=1000, evaluate_every=250, max_epochs=100)
    few = settings.bounded_by(10)
    assert (few.max_steps, few.evaluate_every) == (100, 25)
    assert settings.bounded_by(256 * 10) == settings
    assert settings.bounded_by(140_000) == settings


def test_training_stops_early_and_keeps_the_best_weights() -> None:
    model, seen = Constant(), []
    settings = TrainingSettings(max_steps=100, evaluate_every=5, patience=2, warmup_steps=0)

    def validate() -> dict[str, float]:
        seen.append(model.weight.item())
        return {"quality": -abs(len(seen) - 3)}

    steps: list[int] = []
    result = train(
        model,
        model.losses(),
        validate,
        "quality",
        settings,
        lambda step, of, loss, metrics: steps.append(step),
    )
    assert result.steps == 15
    assert [step for step, _ in result.history] == [5, 10, 15, 20, 25]
    assert steps == list(range(1, 26))
    assert model.weight.item() == seen[2] != seen[4]
    assert not model.training


def test_a_broken_loss_is_named() -> None:
    model = Constant()
    with pytest.raises(TrainingError, match="the loss of step 1 is nan"):
        train(model, model.losses(float("nan")), dict, "quality", TrainingSettings())


def test_popularity_of_training_leaves_one_shopper_out(features: ItemFeatures, dataset: Dataset) -> None:
    model = Bst(BST, features, profile_counts(dataset))
    users = torch.expm1(model.tables.popularity).round()
    items = torch.arange(model.tables.items + 1)
    torch.testing.assert_close(model.eval()._popularity(items), torch.log1p(users), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        model.train()._popularity(items), torch.log1p((users - 1).clamp(min=0)), atol=1e-4, rtol=0
    )
