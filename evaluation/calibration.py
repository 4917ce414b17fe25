"""Platt scaling: scores of any scale as probabilities, for the log loss of models that give none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize


def fit_platt(labels: np.ndarray, scores: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fits p = sigmoid(a·score + b) by maximum likelihood (Platt 1999) and returns score → probability.

    labels: 0 or 1 [n]; scores: float[n]. Scores are standardised inside, so any scale will do.
    """
    mean, spread = float(scores.mean()), float(scores.std()) or 1.0
    standard = (scores.astype(np.float64) - mean) / spread
    target = labels.astype(np.float64)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logit = weights[0] * standard + weights[1]
        error = 1 / (1 + np.exp(-logit)) - target
        gradient = np.array([np.mean(error * standard), np.mean(error)])
        return float(np.mean(np.logaddexp(0, logit) - target * logit)), gradient

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x

    def to_probability(values: np.ndarray) -> np.ndarray:
        probability: np.ndarray = 1 / (1 + np.exp(-(slope * (values - mean) / spread + offset)))
        return probability

    return to_probability
