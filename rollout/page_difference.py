"""How far two versions are apart on one request: by the model's own scores of the same candidates.

The scene's last layer joins a model's scores with others and can hide a broken model from the page, so what
is compared is the order that the model itself gives.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rollout.overlap import top_k_overlap
from rollout.page_bounds import PageBounds

_SMALLEST = 1e-7
_EVEN = 1e-6
_PER_TOP = 4
_STANDARD_ERRORS = 3.0

BOUNDS = ("overlap", "order", "shift", "spread", "best")
"""The bounds of a request, in the order of `outside`."""


class PageDifference(NamedTuple):
    """What two versions' scores of the same candidates have in common."""

    candidates: int
    overlap: float
    """Share of the stable version's best items among the candidate's best, 0…1."""
    order: float
    """Spearman's rank correlation of all candidates, −1…1; 0 where one version alone has no order."""
    shift: float
    """Mean change of the scores' log-odds."""
    spread: float
    """Natural logarithm of the ratio of the log-odds' standard deviations, candidate over stable."""
    best: float
    """Share of the candidates that the stable version puts before the candidate's first item, 0…1."""


def page_difference(
    stable: NDArray[np.float32], candidate: NDArray[np.float32], k: int
) -> PageDifference | None:
    """How two versions' scores of the same candidates differ; None where there are fewer than two candidates.

    stable, candidate  float32[n], finite
    k                  best items compared; at most a quarter of the candidates, since more of them are
                       in common by chance

    Raises ValueError where the lengths differ.
    """
    if stable.shape != candidate.shape:
        raise ValueError(
            f"scores of the same candidates are expected, got {stable.size} and {candidate.size}"
        )
    n = stable.size
    if n < 2:
        return None
    one, other = _log_odds(stable), _log_odds(candidate)
    ranks, ranks_candidate = _ranks(one), _ranks(other)
    first = int(np.argmax(other))
    return PageDifference(
        n,
        top_k_overlap(stable, candidate, min(k, max(1, n // _PER_TOP))),
        _correlation(ranks, ranks_candidate),
        float(other.mean() - one.mean()),
        math.log((float(other.std()) + _EVEN) / (float(one.std()) + _EVEN)),
        float(np.count_nonzero(one > one[first])) / n,
    )


def outside(difference: PageDifference, bounds: PageBounds) -> tuple[bool, ...]:
    """Which of `BOUNDS` the request is beyond.

    Few candidates agree less by chance: the order may fall short by three standard errors of a rank
    correlation, 3 / √(n − 1) (Kendall and Gibbons 1990), so that up to five may come in any order, and the
    best items are not looked at below `min_candidates`.
    """
    long_enough = difference.candidates >= bounds.min_candidates
    slack = _STANDARD_ERRORS / math.sqrt(difference.candidates - 1)
    return (
        long_enough and difference.overlap < bounds.min_overlap,
        difference.order < bounds.min_order - slack,
        abs(difference.shift) > bounds.max_shift,
        abs(difference.spread) > math.log(bounds.max_spread),
        long_enough and difference.best > bounds.max_best,
    )


def _log_odds(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    cut = np.clip(scores.astype(np.float64), _SMALLEST, 1.0 - _SMALLEST)
    return np.log(cut) - np.log1p(-cut)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[n], ranks from 0; equal values share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    _, where, counts = np.unique(values[order], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = np.empty(values.size)
    ranks[order] = (ends - 0.5 * (counts + 1))[where]
    return ranks


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    flat, flat_other = np.ptp(one) == 0.0, np.ptp(other) == 0.0
    if flat or flat_other:
        # Two versions without an order agree; where the stable one has none, any order will do.
        return 1.0 if flat else 0.0
    return float(np.corrcoef(one, other)[0, 1])
