"""Platt scaling finds the curve its labels were drawn from."""

from __future__ import annotations

import numpy as np

from evaluation.calibration import fit_platt
from foundation.statistics.ranking_metrics import log_loss


def test_probabilities_follow_the_curve_the_labels_came_from() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(50, 20, 40_000)
    truth = 1 / (1 + np.exp(-(0.1 * scores - 7)))
    labels = rng.random(len(scores)) < truth
    fitted = fit_platt(labels, scores)(scores)
    np.testing.assert_allclose(fitted, truth, atol=0.02)


def test_scores_without_information_give_the_base_rate() -> None:
    labels = np.array([1, 0, 0, 0] * 50)
    for scores in (np.zeros(200), np.full(200, 7.0)):
        probability = fit_platt(labels, scores)(scores)
        np.testing.assert_allclose(probability, 0.25, atol=1e-3)
    assert log_loss(labels, probability) < log_loss(labels, np.full(200, 0.5))
