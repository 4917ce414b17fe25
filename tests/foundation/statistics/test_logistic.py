"""Logistic regression finds the weights that made the data, and stays at its prior without any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.statistics.logistic import fit_logistic

WEIGHTS = np.array([1.5, -2.0, 0.0])


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((count, 3)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(inputs @ WEIGHTS - 1)))
    return inputs, random.random(count) < chance


def test_it_finds_the_weights_that_made_the_data() -> None:
    fit = fit_logistic(*drawn(200_000, 1), np.zeros(3), 1.0)
    np.testing.assert_allclose(fit.weights, WEIGHTS, atol=0.05)
    assert fit.bias == pytest.approx(-1, abs=0.05)


@given(
    seed=st.integers(0, 1_000),
    count=st.integers(20, 200),
    strength=st.floats(0.1, 100),
    scale=st.floats(0.1, 8),
)
def test_the_gradient_of_the_posterior_is_zero(seed: int, count: int, strength: float, scale: float) -> None:
    inputs, labels = drawn(count, seed)
    inputs = inputs * np.float32(scale)
    labels[:2] = False, True
    prior = np.array([0.5, 0.0, -1.0])
    fit = fit_logistic(inputs, labels, prior, strength)
    chance = 1 / (1 + np.exp(-(inputs @ fit.weights + fit.bias)))
    gradient = inputs.T @ (chance - labels) + strength * (fit.weights - prior)
    np.testing.assert_allclose(gradient, 0, atol=2e-2 * count)
    assert (chance - labels).sum() == pytest.approx(0, abs=2e-3 * count)


def test_data_that_can_be_told_apart_has_finite_weights() -> None:
    inputs = np.array([[-1.0], [-2.0], [1.0], [2.0]], np.float32)
    fit = fit_logistic(inputs, np.array([False, False, True, True]), np.zeros(1), 0.01)
    assert 1 < fit.weights[0] < 100


@pytest.mark.parametrize("label", [False, True])
def test_one_label_alone_leaves_the_prior(label: bool) -> None:
    fit = fit_logistic(np.ones((5, 2), np.float32), np.full(5, label), np.array([1.0, -3.0]), 2.0, -0.5)
    assert (fit.weights.tolist(), fit.bias) == ([1.0, -3.0], -0.5)


def test_without_data_it_is_the_prior() -> None:
    fit = fit_logistic(np.empty((0, 1), np.float32), np.empty(0, bool), np.array([4.0]), 1.0)
    assert (fit.weights.tolist(), fit.bias) == ([4.0], 0.0)


def test_a_strong_prior_stays_and_a_weak_one_gives_way() -> None:
    inputs, labels = drawn(500, 3)
    prior = np.array([-5.0, 5.0, 5.0])
    strong, weak = (fit_logistic(inputs, labels, prior, strength).weights for strength in (1e6, 1e-3))
    np.testing.assert_allclose(strong, prior, atol=0.01)
    np.testing.assert_allclose(weak, WEIGHTS, atol=0.6)
