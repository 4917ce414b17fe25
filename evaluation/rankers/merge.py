"""Rankers merged: a weighted sum of their scores, the weights fitted on the validation range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foundation.statistics.logistic import fit_logistic
from models.rankers.examples import Examples, Float32, Float64

_STRENGTH = 1.0


def merged(
    valid: Examples, valid_scores: Sequence[Float64], test: Examples, test_scores: Sequence[Float64]
) -> Float64:
    """float64[n], the merged scores of the test range.

    Scores are standardised within each query, since rankers of pairs and lists have no scale of their own; a
    logistic regression of the best grade on them, with weights drawn to their mean, merges them.
    """
    inputs = _within_queries(valid, valid_scores)
    prior = np.full(inputs.shape[1], 1 / inputs.shape[1])
    fitted = fit_logistic(inputs, valid.relevant, prior, _STRENGTH)
    return np.asarray(_within_queries(test, test_scores) @ fitted.weights + fitted.bias, np.float64)


def _within_queries(examples: Examples, scores: Sequence[Float64]) -> Float32:
    """float32[n, m]: of mean 0 and standard deviation 1 in each query."""
    columns = []
    for column in scores:
        sizes = examples.sizes
        mean = np.bincount(examples.query, column) / sizes
        centred = column - mean[examples.query]
        spread = np.sqrt(np.bincount(examples.query, np.square(centred)) / sizes)[examples.query]
        columns.append(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12))
    return np.stack(columns, axis=1).astype(np.float32)
