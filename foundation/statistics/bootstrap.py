"""Intervals of means and ratios of values that come in groups, such as many answers to a shopper."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grouped_interval(
    values: NDArray[np.floating],
    groups: NDArray[np.integer],
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean, whole groups drawn with replacement.

    Args:
        values: float[n], n above 0.
        groups: int[n], the group of each value.
        rng: of the draws.
        draws: how many.
        level: share of the drawn means inside the interval, 0…1.

    Returns:
        Its lower and its upper end.

    Example:
        >>> grouped_interval(np.array([0.0, 0.0, 1.0]), np.array([1, 1, 2]), np.random.default_rng(0), 200)
        (0.0, 1.0)
    """
    _, group = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(group, weights=values), np.bincount(group)
    means = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(len(counts), size=len(counts))
        means[draw] = sums[chosen].sum() / counts[chosen].sum()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def ratio_interval(
    numerator: NDArray[Any],
    denominator: NDArray[np.floating],
    groups: NDArray[np.integer],
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """The percentile bootstrap interval of sum(numerator) / sum(denominator), groups drawn with replacement.

    Args:
        numerator: number or bool [n], n above 0.
        denominator: float[n], at least 0.
        groups: int[n], the group of each.
        rng: of the draws.
        draws: how many.
        level: share of the drawn ratios inside the interval, 0…1.

    Returns:
        Its lower and its upper end; NaN where the denominators of a draw are all 0.

    Example:
        >>> ones = np.ones(4)
        >>> ratio_interval(ones, 2 * ones, np.array([1, 1, 2, 2]), np.random.default_rng(0), 100)
        (0.5, 0.5)
    """
    _, group = np.unique(groups, return_inverse=True)
    above, below = np.bincount(group, weights=numerator), np.bincount(group, weights=denominator)
    ratios = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(len(above), size=len(above))
        total = below[chosen].sum()
        ratios[draw] = above[chosen].sum() / total if total else np.nan
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
