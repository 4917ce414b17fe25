"""Training the networks of the last layer on what its regression leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.head_ndcg import head_ndcg
from evaluation.layer_networks import fit_networks
from evaluation.ranker_weights import RankedSample, weights_of
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.last_layer import LastLayer
from router.ranking.logistic.networks import NetworkPart, Networks
from router.ranking.logistic.table import LogisticRankerSettings, NetworkSettings

FEW = NetworkSettings(
    each_third=1, hidden=(16,), steps=300, batch=256, learning_rate=0.02, not_taken=0.5, least_taken=100
)
COUNT, BASE = 9_000, -1.0
SHOPPER = np.arange(COUNT) % 90

Floats = NDArray[np.floating]


def made(seed: int, meaning: float) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """Candidates taken by the product of two inputs, which no weighted sum tells; and their thirds."""
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((COUNT, 4)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(BASE + meaning * inputs[:, 0] * inputs[:, 1])))
    return inputs, random.random(COUNT) < chance, np.arange(COUNT) % 3


def log_loss(log_odds: Floats, taken: NDArray[np.bool_]) -> float:
    return float(np.mean(np.logaddexp(0, log_odds) - taken * log_odds))


def test_what_counts_together_is_learned_and_promised_for_shoppers_not_seen() -> None:
    inputs, taken, third = made(1, 2.0)
    before = np.full(COUNT, BASE, np.float32)
    part, added = fit_networks(inputs, taken, before, SHOPPER, third, FEW, seed=1)
    assert part.share >= 0.5
    assert log_loss(before + added, taken) < log_loss(before, taken) - 0.08
    assert head_ndcg(added, taken, SHOPPER).mean() > 0.7
    others, takes, _ = made(2, 2.0)
    served = Networks.of(part)
    assert served is not None
    assert log_loss(before + served.log_odds(others), takes) < log_loss(before, takes) - 0.08
    # What is added is neither surer nor less sure of shoppers not seen than takes are.
    odds = before + added
    for tenth in np.array_split(np.argsort(odds), 5):
        assert abs(taken[tenth].mean() - (1 / (1 + np.exp(-odds[tenth]))).mean()) < 0.08


def test_takes_by_chance_get_none_since_a_third_unseen_is_predicted_no_better() -> None:
    inputs, taken, third = made(3, 0.0)
    settings = FEW.model_copy(update={"hidden": (64,), "steps": 800, "dropout": 0.0})
    part, added = fit_networks(
        inputs, taken, np.full(COUNT, BASE, np.float32), SHOPPER, third, settings, seed=1
    )
    assert part == NetworkPart()
    assert not added.any()


def test_with_few_takes_or_where_they_are_switched_off_there_are_none() -> None:
    inputs, taken, third = made(4, 2.0)
    for changed in ({"least_taken": int(taken.sum()) + 1}, {"each_third": 0}):
        settings = FEW.model_copy(update=changed)
        part, added = fit_networks(
            inputs, taken, np.full(COUNT, BASE, np.float32), SHOPPER, third, settings, seed=1
        )
        assert part == NetworkPart()
        assert not added.any()


def test_a_candidate_that_counts_nothing_teaches_nothing() -> None:
    inputs, taken, third = made(5, 2.0)
    wrong = np.random.default_rng(5).random(COUNT) < 0.5
    before, counts = np.full(COUNT, BASE, np.float32), np.where(wrong, 0, 1).astype(np.float32)
    part, _ = fit_networks(inputs, np.where(wrong, ~taken, taken), before, SHOPPER, third, FEW, 1, counts)
    others, takes, _ = made(6, 2.0)
    served = Networks.of(part)
    assert served is not None
    assert log_loss(before + served.log_odds(others), takes) < log_loss(before, takes) - 0.05


def test_the_same_seed_gives_the_same_networks() -> None:
    inputs, taken, third = made(7, 2.0)
    before = np.full(COUNT, BASE, np.float32)
    settings = FEW.model_copy(update={"steps": 50})
    first, again, other = (
        fit_networks(inputs, taken, before, SHOPPER, third, settings, seed)[0] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_last_layer_orders_by_them_and_its_probabilities_are_those_of_takes() -> None:
    """An item is taken where the shopper took it often and long ago, or seldom and lately."""
    names = input_names(())
    random = np.random.default_rng(8)

    def drawn() -> tuple[NDArray[np.float32], Floats, NDArray[np.bool_]]:
        inputs = random.standard_normal((COUNT, len(names))).astype(np.float32)
        inputs[:, names.index("shopper.count")] += 20
        cause = 2 * inputs[:, names.index("item.count")] * inputs[:, names.index("item.newest")]
        return inputs, cause, random.random(COUNT) < 1 / (1 + np.exp(-(cause - 1)))

    inputs, _, taken = drawn()
    shopper = np.arange(COUNT, dtype=np.int32) % 30
    sample = RankedSample(
        inputs, np.zeros(COUNT, np.float32), taken, 30, shopper, shopper + 1, np.arange(30, dtype=np.int32)
    )
    settings = LogisticRankerSettings(networks=FEW)
    learned = weights_of(sample, (), settings, seed=1)
    layer = LastLayer.of(learned)
    inputs, cause, taken = drawn()
    for column, calibration in ((0, learned.alone_calibration), (1, learned.calibration)):
        odds = layer.log_odds(inputs)[0][:, column]
        assert np.corrcoef(odds, cause)[0, 1] > 0.7
        chance = 1 / (1 + np.exp(-calibration.of(odds)))
        for tenth in np.array_split(np.argsort(chance), 5):
            assert abs(taken[tenth].mean() - chance[tenth].mean()) < 0.06


def test_ndcg_of_heads_is_that_of_each_shopper_who_took_something() -> None:
    random = np.random.default_rng(9)
    scores, taken, shopper = random.random(200), random.random(200) < 0.1, random.integers(0, 12, 200)
    taken[shopper == 3] = False
    expected = []
    for each in np.unique(shopper):
        own = np.flatnonzero(shopper == each)
        gains = taken[own[np.argsort(-scores[own])]][:10] / np.log2(np.arange(2, 12))[: len(own)]
        ideal = (1 / np.log2(np.arange(2, 12)))[: int(taken[own].sum())].sum()
        expected += [gains.sum() / ideal] if ideal else []
    np.testing.assert_allclose(head_ndcg(scores, taken, shopper), expected)
