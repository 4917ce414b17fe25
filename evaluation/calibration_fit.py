"""Fits the calibration of a score: what makes its log-odds those of what happened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from router.ranking.calibration import AS_IT_IS, FURTHEST, Calibration

_SEGMENTS = 8
_LEAST_SLOPE, _MOST_SLOPE = 0.05, 4.0
"""A slope above 0 keeps the order; what few candidates say must not make a score 0 or 1."""
_STRENGTH = 1.0
"""Precision of the prior around slope 1."""
_LEAST_TAKEN = 30.0
_GROUPS = 4_000
_INSIDE = 0.1


def fit_calibration(log_odds: NDArray[np.floating], happened: NDArray[np.floating]) -> Calibration:
    """The function, straight between eight parts of the candidates of equal number, of the largest posterior.

    Bernoulli likelihood, with slopes within 0.05 and 4, each ~ N(1, 1) a priori: a piecewise linear form of
    Platt's scaling, so that a sum of inputs may bend (Platt 1999; Zadrozny and Elkan, KDD 2002).

    Args:
        log_odds: float[n], finite.
        happened: float[n] ≥ 0: 1 where it happened and 0 where not; weights that correct how often it does
            lie around 1.

    Returns:
        One that changes nothing where fewer than 30 happened, or hardly any scores differ.
    """
    total = float(happened.sum())
    if total < _LEAST_TAKEN or len(log_odds) - total < _LEAST_TAKEN:
        return AS_IT_IS
    cut = np.clip(log_odds.astype(np.float64), -FURTHEST + _INSIDE, FURTHEST - _INSIDE)
    knots = np.unique(np.quantile(cut, np.linspace(0, 1, _SEGMENTS + 1)))
    # Equal scores of many candidates leave segments of no width.
    knots = knots[np.diff(knots, prepend=-np.inf) > 1e-3]
    if len(knots) < 2:
        return AS_IT_IS
    order = np.argsort(cut, kind="stable")
    groups = np.array_split(order, min(_GROUPS, len(order)))
    middle = np.array([cut[group].mean() for group in groups])
    size = np.array([len(group) for group in groups], np.float64)
    hits = np.array([happened[group].sum() for group in groups])
    # One column a segment: how far into it a score is.
    basis = np.clip(middle[:, None] - knots[:-1], 0, np.diff(knots))
    basis = np.concatenate((np.ones((len(middle), 1)), basis), axis=1)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = basis @ point
        expected = size / (1 + np.exp(-odds))
        off = point[1:] - 1
        value = float((size * np.logaddexp(0, odds) - hits * odds).sum() + _STRENGTH * (off @ off) / 2)
        return value, basis.T @ (expected - hits) + np.concatenate(([0.0], _STRENGTH * off))

    start = np.concatenate(([knots[0]], np.ones(len(knots) - 1)))
    bounds = [(-FURTHEST + _INSIDE, FURTHEST - _INSIDE), *[(_LEAST_SLOPE, _MOST_SLOPE)] * (len(knots) - 1)]
    point = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    values = point[0] + np.concatenate(([0.0], np.cumsum(point[1:] * np.diff(knots))))
    if values[-1] >= FURTHEST:
        return AS_IT_IS
    return Calibration(knots=tuple(knots.tolist()), values=tuple(values.tolist()))
