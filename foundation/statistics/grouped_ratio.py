"""Ratios of sums whose rows come in groups, with intervals that take the group as the unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Float64 = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate, the ends of its interval, and its standard error; all NaN where nothing was observed."""

    value: float
    low: float
    high: float
    error: float


NOT_OBSERVED = Interval(*[float("nan")] * 4)


def grouped_ratio(
    numerator: Float64, denominator: Float64, groups: NDArray[np.integer], level: float = 0.95
) -> Interval:
    """sum(numerator) / sum(denominator), its error by the delta method over groups (Deng et al., KDD 2018).

    Args:
        numerator: float[n].
        denominator: float[n], not negative; ones give a mean.
        groups: int[n], rows of one group may depend on each other, groups may not.
        level: probability that the interval is to cover, 0…1.

    Returns:
        The interval; `NOT_OBSERVED` where the denominators sum to 0. With a single group the error is
        unknown: the ends and the error are NaN.

    Example:
        >>> round(grouped_ratio(np.array([0.0, 1.0]), np.ones(2), np.array([1, 2])).value, 2)
        0.5
    """
    total = float(denominator.sum())
    if total <= 0:
        return NOT_OBSERVED
    value = float(numerator.sum()) / total
    influence = (numerator - value * denominator) * (denominator.size / total)
    return interval_of(value, influence, groups, level)


def interval_of(
    value: float, influence: Float64, groups: NDArray[np.integer], level: float = 0.95
) -> Interval:
    """The interval of an estimate that is, to first order, its truth plus the mean of its influences.

    Args:
        value: the estimate.
        influence: float[n], of each row, of mean 0.
        groups: int[n], as in `grouped_ratio`.
        level: likewise.

    The quantile is Student's with one degree of freedom less than there are groups, since the variance is
    estimated from as many sums.
    """
    _, group = np.unique(groups, return_inverse=True)
    sums = np.bincount(group, weights=influence)
    count = sums.size
    if count < 2:
        return Interval(value, float("nan"), float("nan"), float("nan"))
    error = float(np.sqrt(count / (count - 1) * np.square(sums).sum()) / influence.size)
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    return Interval(value, value - half, value + half, error)
