"""Ridge regression on products of two inputs, of which those that correlate most with the grade are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.rankers.ranker import RankerKind, Scores
from models.rankers.examples import Examples, Float32, Float64, Ranges
from models.rankers.measure import mean_ndcg
from models.rankers.standardised import Standardised

_KEPT = (20, 60, 150)
"""Numbers of terms that are tried."""
_RIDGE = 10.0


def fit(ranges: Ranges, seed: int) -> Scores:
    """Terms by correlation in the training range, their number by the validation range."""
    scaled = Standardised.of(ranges.train)
    inputs, grades = scaled(ranges.train), ranges.train.grades.astype(np.float64)
    pairs = _pairs(inputs.shape[1])
    ranked = np.argsort(-np.abs(_correlations(inputs, pairs, grades)), kind="stable")
    best: tuple[float, NDArray[np.intp], Float64] | None = None
    for kept in _KEPT:
        chosen = pairs[ranked[:kept]]
        terms = _terms(inputs, chosen).astype(np.float64)
        gram = terms.T @ terms + _RIDGE * np.eye(terms.shape[1])
        weights = np.linalg.solve(gram, terms.T @ (grades - grades.mean()))
        ordered = np.asarray(_terms(scaled(ranges.valid), chosen) @ weights, np.float64)
        reached = mean_ndcg(ranges.valid, ordered)
        if best is None or reached > best[0]:
            best = reached, chosen, weights
    assert best is not None
    _, chosen, weights = best

    def scores(examples: Examples) -> Float64:
        return np.asarray(_terms(scaled(examples), chosen) @ weights, np.float64)

    return scores


def _pairs(count: int) -> NDArray[np.intp]:
    """intp[m, 2]: each input with a constant (−1), with itself and with each other."""
    alone = np.stack((np.arange(count), np.full(count, -1)), axis=1)
    return np.concatenate((alone, np.stack(np.triu_indices(count), axis=1)))


def _terms(inputs: Float32, pairs: NDArray[np.intp]) -> Float32:
    """float32[n, m], the products."""
    with_one = np.concatenate((inputs, np.ones((len(inputs), 1), np.float32)), axis=1)
    return np.asarray(with_one[:, pairs[:, 0]] * with_one[:, pairs[:, 1]])


def _correlations(inputs: Float32, pairs: NDArray[np.intp], grades: Float64) -> Float64:
    """Pearson's correlation of each term with the grade, float64[m]; 0 of a constant term."""
    centred = grades - grades.mean()
    found = np.zeros(len(pairs))
    for first in range(0, len(pairs), 64):
        terms = _terms(inputs, pairs[first : first + 64]).astype(np.float64)
        terms -= terms.mean(axis=0)
        length = np.sqrt(np.square(terms).sum(axis=0) * np.square(centred).sum())
        found[first : first + 64] = np.divide(
            centred @ terms, length, out=np.zeros(terms.shape[1]), where=length > 0
        )
    return found


RANKER = RankerKind("pointwise", fit)
