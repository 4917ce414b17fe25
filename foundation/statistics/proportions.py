"""Intervals of shares and of their differences, and a test of a drop."""

from __future__ import annotations

import math

from scipy import stats

Z_95 = 1.959963984540054
"""The normal distribution's quantile of 0.975."""


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927, Probable Inference, JASA 22).

    Args:
        successes: 0…trials.
        trials: independent ones, above 0.
        z: quantile of the normal distribution; 1.96 gives 95 %.

    Example:
        >>> low, high = wilson_interval(8, 10)
        >>> round(low, 3), round(high, 3)
        (0.49, 0.943)
    """
    share, square = successes / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials)) / (1 + square)
    # Rounding must not put the share itself outside.
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def difference_interval(
    successes: int, trials: int, base_successes: int, base_trials: int, z: float = Z_95
) -> tuple[float, float]:
    """The interval of a share less a base share, from the score intervals of both.

    Newcombe 1998, Interval Estimation for the Difference between Independent Proportions, Statistics in
    Medicine 17, method 10. Arguments as of `wilson_interval`, of both samples.

    Example:
        >>> low, high = difference_interval(56, 70, 48, 80)
        >>> round(low, 4), round(high, 4)
        (0.0524, 0.3339)
    """
    share, base = successes / trials, base_successes / base_trials
    low, high = wilson_interval(successes, trials, z)
    base_low, base_high = wilson_interval(base_successes, base_trials, z)
    below = math.hypot(share - low, base_high - base)
    above = math.hypot(high - share, base - base_low)
    return share - base - below, share - base + above


def drop_p(successes: int, trials: int, base_successes: int, base_trials: int) -> float:
    """The probability of so few successes, or fewer, were the share that of the base: Fisher's exact test.

    One-sided, conditional on the successes of both samples together; never below the level it states.

    Example:
        >>> round(drop_p(1, 10, 9, 10), 5)
        0.00055
    """
    drawn = stats.hypergeom.cdf(successes, trials + base_trials, successes + base_successes, trials)
    return float(drawn)
