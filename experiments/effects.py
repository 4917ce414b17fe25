"""Estimates and differences between arms, with shoppers, who were assigned, as the unit.

A shopper's impressions are no independent trials: those who click much click in all of theirs. A rate over
all impressions is a ratio of two means over shoppers, and its variance that of the ratio by the delta method
(Deng, Knoblich and Lu 2018, Applying the Delta Method in Metric Analytics, KDD, arXiv:1803.06336).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.sequential import normal_mixture_radius

CONFIDENCE = 0.95
_Z = 1.959963984540054
"""The normal distribution's quantile of 0.975."""
_PEEKING_TIGHTEST_USERS = 2_000

Column = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of one arm and the variance of its estimate."""

    value: float
    variance: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval."""
        half = _Z * math.sqrt(self.variance)
        return self.value - half, self.value + half


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm less the control.

    low, high                  95 % confidence interval, for one look at the end
    low_peeking, high_peeking  the same, valid however often one looks
    relative…                  over the control's value; None where that is 0
    p_value                    two-sided, of no difference, for one look at the end
    """

    value: float
    low: float
    high: float
    low_peeking: float
    high_peeking: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p_value: float


def ratio(numerator: Column, denominator: Column) -> Estimate | None:
    """Σ numerator / Σ denominator over shoppers, both [n]; None with fewer than two shoppers or Σ = 0."""
    n, total = len(numerator), float(denominator.sum())
    if n < 2 or total <= 0:
        return None
    value = float(numerator.sum()) / total
    residuals = numerator - value * denominator
    return Estimate(value, n / (n - 1) * float((residuals**2).sum()) / total**2)


def mean(values: Column) -> Estimate | None:
    """The mean over shoppers, [n]; None with fewer than two."""
    return ratio(values, np.ones(len(values), np.int64))


def difference(arm: Estimate, control: Estimate, users: int) -> Difference | None:
    """The arm less the control; None where neither varies, so that nothing is known of chance.

    users  shoppers in both together
    """
    variance = arm.variance + control.variance
    if variance <= 0:
        return None
    error = math.sqrt(variance)
    value = arm.value - control.value
    half = _Z * error
    half_peeking = normal_mixture_radius(error, users / _PEEKING_TIGHTEST_USERS, 1 - CONFIDENCE)
    relative = low = high = None
    if control.value > 0:
        relative = value / control.value
        share = arm.value / control.value
        spread = _Z * math.sqrt(arm.variance + share**2 * control.variance) / control.value
        low, high = relative - spread, relative + spread
    return Difference(
        value=value,
        low=value - half,
        high=value + half,
        low_peeking=value - half_peeking,
        high_peeking=value + half_peeking,
        relative=relative,
        relative_low=low,
        relative_high=high,
        p_value=math.erfc(abs(value) / error / math.sqrt(2.0)),
    )


def sample_ratio_p(users: list[int], shares: list[int]) -> float:
    """The p-value of the arms' shoppers being divided as configured, by a chi-square test.

    users   shoppers by arm, at least two arms
    shares  basis points by arm, above 0

    Below 0.001 something assigns, answers or logs the arms differently, and no other figure can be trusted
    (Fabijan et al. 2019, Diagnosing Sample Ratio Mismatch, KDD).
    """
    from scipy import stats

    expected = np.array(shares, np.float64) / sum(shares) * sum(users)
    tested: Any = stats.chisquare(users, expected)
    return float(tested.pvalue)
