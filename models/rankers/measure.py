"""NDCG by query with graded relevance, GAUC, and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foundation.statistics.bootstrap import grouped_interval
from foundation.statistics.ranking_metrics import gauc
from models.rankers.examples import Examples, Float64

K = 10
NDCG = f"ndcg@{K}"
"""Name of the metric by which rankers choose."""
_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over queries; NaN where nothing can be measured.

    ndcg        NDCG@10, with its 95 % bootstrap interval over units
    ndcg_by_query  float64[q], NaN for queries whose candidates are all alike
    gauc        of the best grade against the others, by query
    """

    ndcg: float
    low: float
    high: float
    ndcg_by_query: Float64
    gauc: float


def measure(examples: Examples, scores: Float64, seed: int = 0) -> Measured:
    """How well the scores float64[n] order the examples; ties are broken at random by `seed`."""
    by_query = ndcg_by_query(examples, scores, seed)
    known = ~np.isnan(by_query)
    low, high = grouped_interval(
        by_query[known], examples.unit[known], np.random.default_rng(seed), draws=_DRAWS
    )
    return Measured(
        float(by_query[known].mean()),
        low,
        high,
        by_query,
        gauc(examples.relevant, scores, examples.query),
    )


def ndcg_by_query(examples: Examples, scores: Float64, seed: int = 0) -> Float64:
    """NDCG@10 of each query, float64[q], with gains 2^grade − 1 (Burges et al., ICML 2005).

    NaN for a query whose candidates all have one grade, which any order serves.
    """
    order = np.random.default_rng(seed).permutation(scores.size)
    order = order[np.lexsort((-scores[order], examples.query[order]))]
    gains = np.exp2(examples.grades.astype(np.float64)) - 1
    best = np.lexsort((-gains, examples.query))
    place = np.arange(scores.size) - examples.offsets[examples.query]
    discount = np.where(place < K, 1 / np.log2(place + 2), 0)
    queries = examples.unit.size
    gained = np.bincount(examples.query, gains[order] * discount, queries)
    ideal = np.bincount(examples.query, gains[best] * discount, queries)
    lowest = np.minimum.reduceat(examples.grades, examples.offsets[:-1])
    highest = np.maximum.reduceat(examples.grades, examples.offsets[:-1])
    return np.where(lowest < highest, gained / np.where(ideal > 0, ideal, 1), np.nan)


def mean_ndcg(examples: Examples, scores: Float64) -> float:
    """Mean NDCG@10, by which rankers choose."""
    return float(np.nanmean(ndcg_by_query(examples, scores)))
