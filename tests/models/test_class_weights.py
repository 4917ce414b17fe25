"""Weights of classes: a shop's own, and those that give every day the present odds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.class_weights import ClassWeightSettings, class_weights
from tests.evaluation.rankers.planted import examples

DAY = 86_400


def test_a_shop_sets_how_much_a_positive_counts() -> None:
    labels = np.array([True, False, False, False])
    weights = class_weights(labels, np.zeros(4, np.int64), ClassWeightSettings(positive=3))
    np.testing.assert_allclose(weights, np.array([3, 1, 1, 1]) * 4 / 6)
    assert (class_weights(labels, np.zeros(4, np.int64), ClassWeightSettings()) == 1).all()


@settings(max_examples=15)
@given(st.lists(st.floats(0.1, 0.3), min_size=2, max_size=5), st.integers(0, 9))
def test_every_day_has_the_odds_of_the_last_one(rates: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(len(rates)), 20_000)
    labels = random.random(day.size) < np.array(rates)[day]
    weights = class_weights(labels, day * DAY, ClassWeightSettings(follow_drift=True, half_life_days=0.05))
    assert weights.mean() == pytest.approx(1, rel=1e-4)
    odds = [
        weights[(day == each) & labels].sum() / weights[(day == each) & ~labels].sum()
        for each in range(len(rates))
    ]
    np.testing.assert_allclose(odds, odds[-1], rtol=0.03)


def test_nothing_drifts_where_there_is_one_class_and_examples_without_time_say_so() -> None:
    drift = ClassWeightSettings(follow_drift=True)
    for labels in (np.zeros(3, bool), np.ones(3, bool)):
        assert (class_weights(labels, np.arange(3) * DAY, drift) == 1).all()
    part = examples(5, 1)
    assert part.weights(ClassWeightSettings(positive=2)).mean() == pytest.approx(1)
    with pytest.raises(ValueError, match="these examples have no time"):
        part.weights(drift)
