"""Logistic regression with a Gaussian prior, by Newton's method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ROWS = 65_536
_STEPS = 50
_HALVINGS = 20


class Fit(NamedTuple):
    """weights: float64[d]; bias: float."""

    weights: NDArray[np.float64]
    bias: float


def fit_logistic(
    inputs: NDArray[np.float32],
    labels: NDArray[np.bool_],
    prior: NDArray[np.float64],
    strength: float,
    prior_bias: float = 0.0,
    weights: NDArray[np.floating] | None = None,
) -> Fit:
    """Weights of the largest posterior under labels ~ σ(inputs · w + b), w ~ N(prior, 1 / strength).

    The bias is free where there are both labels; `prior_bias` where there is one only, or nothing at all.
    Newton's method with step halving (Boyd and Vandenberghe, Convex Optimization, 9.5.2), which always
    converges: the objective is convex.

    Args:
        inputs: float32[n, d], finite, of about unit scale.
        labels: bool[n].
        prior: float64[d], the weights without data.
        strength: precision of the prior, above 0.
        prior_bias: as above.
        weights: float[n], above 0, how much each row counts; None: 1.

    Example:
        >>> inputs, labels = np.array([[-1.0], [1.0]], np.float32), np.array([False, True])
        >>> fit = fit_logistic(inputs, labels, np.zeros(1), 1.0)
        >>> bool(fit.weights[0] > 0)
        True
    """
    if not labels.any() or labels.all():
        return Fit(prior.astype(np.float64), prior_bias)
    counts = None if weights is None else weights.astype(np.float32)
    share = np.average(labels, weights=counts)
    point = np.append(prior, np.log(share / (1 - share)))
    precision = np.append(np.full(prior.size, strength), 0.0)
    centre = np.append(prior, 0.0)
    loss = _loss(inputs, labels, point, centre, precision, counts)
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(inputs, labels, point, counts)
        gradient += precision * (point - centre)
        hessian[np.diag_indices_from(hessian)] += precision + 1e-9
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        for _ in range(_HALVINGS):
            tried = point - size * step
            tried_loss = _loss(inputs, labels, tried, centre, precision, counts)
            if tried_loss <= loss:
                break
            size /= 2
        else:
            break
        gained, point, loss = loss - tried_loss, tried, tried_loss
        if gained <= 1e-9 * abs(loss):
            break
    return Fit(point[:-1], float(point[-1]))


def _loss(
    inputs: NDArray[np.float32],
    labels: NDArray[np.bool_],
    point: NDArray[np.float64],
    centre: NDArray[np.float64],
    precision: NDArray[np.float64],
    counts: NDArray[np.float32] | None,
) -> float:
    odds = inputs @ point[:-1].astype(np.float32) + np.float32(point[-1])
    every = np.logaddexp(0, odds, dtype=np.float64)
    of_taken = odds[labels].astype(np.float64)
    if counts is not None:
        every *= counts
        of_taken *= counts[labels]
    data = every.sum() - of_taken.sum()
    return float(data + (precision * (point - centre) ** 2).sum() / 2)


def _derivatives(
    inputs: NDArray[np.float32],
    labels: NDArray[np.bool_],
    point: NDArray[np.float64],
    counts: NDArray[np.float32] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradient float64[d + 1] and Hessian float64[d + 1, d + 1] of the data's part, in blocks of rows."""
    count = point.size
    gradient, hessian = np.zeros(count), np.zeros((count, count))
    for first in range(0, len(inputs), _ROWS):
        block = inputs[first : first + _ROWS]
        with_one = np.concatenate((block, np.ones((len(block), 1), np.float32)), axis=1)
        odds = with_one @ point.astype(np.float32)
        chance = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        slope, bend = chance - labels[first : first + _ROWS], chance * (1 - chance)
        if counts is not None:
            slope, bend = (each * counts[first : first + _ROWS] for each in (slope, bend))
        gradient += with_one.T @ slope
        hessian += (with_one * bend[:, None]).T @ with_one
    return gradient, hessian
