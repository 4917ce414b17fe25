"""Tests that may be looked at as often as one likes: e-processes and confidence sequences.

An e-process of a hypothesis is a number computed from the data so far whose expectation is at most 1 at
every stopping time where the hypothesis holds. By Ville's inequality it ever reaches 1/α with a chance of at
most α, so one may look after every request and stop the moment it does (Johari et al. 2017, arXiv:1512.04922;
Howard et al. 2021, arXiv:1810.08240; Ramdas et al. 2023, arXiv:2210.01948). Everything here depends on the
counts alone, so nothing must be remembered between two looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_PRIOR = 0.5
_LOG_PRIOR = 2 * math.lgamma(_PRIOR) - math.lgamma(2 * _PRIOR)
_STEPS = 60
_BOUND_STEPS = 40


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` successes in `trials` trials, above 0; both may be fractions (see `clusters.effective`).

    Values between 0 and 1 may be summed up in place of successes: bounds of their mean stay valid,
    since no such variable varies more than the 0-or-1 variable of the same mean.
    """

    count: float
    trials: float

    @property
    def mean(self) -> float:
        """The observed rate."""
        return self.count / self.trials


@dataclass(frozen=True, slots=True)
class Line:
    """Rates p (candidate) and q (baseline) with p = slope · q + intercept: where tolerated ends."""

    slope: float
    intercept: float


def log_evidence_of_rate(observed: Rate, rate: float) -> float:
    """Log e-process of the hypothesis that the true rate is `rate`, 0…1.

    The likelihood ratio of a Beta(½, ½) mixture of rates to `rate` (Robbins 1970; Howard et al. 2021).
    """
    return _log_mixture(observed) + _negative_log_likelihood(observed, rate)


def rate_bounds(observed: Rate, alpha: float) -> tuple[float, float]:
    """A confidence sequence of the true rate: at all times together it holds it with chance 1 − alpha."""
    threshold = -math.log(alpha)
    mean = observed.mean
    low = last_true(lambda rate: log_evidence_of_rate(observed, rate) >= threshold, 0.0, mean)
    high = last_true(lambda rate: log_evidence_of_rate(observed, rate) >= threshold, 1.0, mean)
    return low, high


def log_evidence_above(candidate: Rate, baseline: Rate, line: Line) -> float:
    """Log e-process of the hypothesis that the candidate's rate is on or below the line.

    High: the candidate's rate is above it. The mixtures of both groups, which are independent, are
    multiplied, and the hypothesis keeps the pair of rates that speaks for it best, as in universal inference
    (Wasserman et al. 2020, arXiv:1912.11436). Exact for every sample size, so also for rare events.
    """
    return _log_evidence(candidate, baseline, line, above=True)


def log_evidence_below(candidate: Rate, baseline: Rate, line: Line) -> float:
    """Log e-process of the hypothesis that the candidate's rate is on or above the line."""
    return _log_evidence(candidate, baseline, line, above=False)


def difference_bounds(candidate: Rate, baseline: Rate, alpha: float) -> tuple[float, float]:
    """A confidence sequence of the candidate's rate minus the baseline's; each side has chance `alpha`."""
    threshold = -math.log(alpha)
    middle = candidate.mean - baseline.mean
    low = last_true(
        lambda d: log_evidence_above(candidate, baseline, Line(1.0, d)) >= threshold, -1.0, middle
    )
    high = last_true(
        lambda d: log_evidence_below(candidate, baseline, Line(1.0, d)) >= threshold, 1.0, middle
    )
    return low, high


def log_evidence_of_shift(deviation: float, standard_error: float, scale: float) -> float:
    """Log e-process of the hypothesis that a near-normal estimate's expectation is 0 or less.

    deviation       the estimate
    standard_error  of it, above 0
    scale           deviation that matters, above 0; evidence of deviations of about this size gathers fastest

    The mixture sequential probability ratio test (Johari et al. 2017, arXiv:1512.04922) with a normal mixture
    cut to its upper half, which makes it one-sided (Howard et al. 2021, arXiv:1810.08240, proposition 6).
    """
    information = (scale / standard_error) ** 2
    z = deviation / standard_error * math.sqrt(information / (1.0 + information))
    if z > -10.0:
        weight = math.log(math.erfc(-z / math.sqrt(2.0))) + 0.5 * z * z
    else:
        # erfc underflows further down, where Φ(z) exp(z² / 2) is 1 / (−z √2π) to within 1 %.
        weight = math.log(2.0) - math.log(-z * math.sqrt(2.0 * math.pi))
    return weight - 0.5 * math.log1p(information)


def normal_mixture_radius(standard_error: float, information: float, alpha: float) -> float:
    """Half the width of an asymptotic confidence sequence around an estimate.

    standard_error  of the estimate at this moment
    information     sample size now over the sample size at which the sequence is to be tightest

    Waudby-Smith et al. 2021 (arXiv:2103.06476), the boundary of Johari et al.'s mSPRT: valid at all times
    together with chance 1 − alpha where sums are near normal from the first look on.
    """
    tightest = -2.0 * math.log(alpha) + math.log(-2.0 * math.log(alpha) + 1.0)
    spread = information * tightest
    return standard_error * math.sqrt((1.0 + 1.0 / spread) * math.log((1.0 + spread) / alpha**2))


def _log_mixture(observed: Rate) -> float:
    successes, failures = observed.count, observed.trials - observed.count
    return (
        math.lgamma(_PRIOR + successes)
        + math.lgamma(_PRIOR + failures)
        - math.lgamma(2 * _PRIOR + observed.trials)
        - _LOG_PRIOR
    )


def _negative_log_likelihood(observed: Rate, rate: float) -> float:
    successes, failures = observed.count, observed.trials - observed.count
    if (successes > 0 and rate <= 0) or (failures > 0 and rate >= 1):
        return math.inf
    log_likelihood = 0.0
    if successes > 0:
        log_likelihood -= successes * math.log(rate)
    if failures > 0:
        log_likelihood -= failures * math.log1p(-rate)
    return log_likelihood


def _log_evidence(candidate: Rate, baseline: Rate, line: Line, *, above: bool) -> float:
    mixtures = _log_mixture(candidate) + _log_mixture(baseline)
    p, q = candidate.mean, baseline.mean
    limit = line.slope * q + line.intercept
    if p <= limit if above else p >= limit:
        # The observed rates themselves belong to the hypothesis.
        return mixtures + _negative_log_likelihood(candidate, p) + _negative_log_likelihood(baseline, q)
    best = _closest_on(line, candidate, baseline)
    if best is None:
        return math.inf
    on_line = min(1.0, max(0.0, line.slope * best + line.intercept))
    return mixtures + _negative_log_likelihood(candidate, on_line) + _negative_log_likelihood(baseline, best)


def _closest_on(line: Line, candidate: Rate, baseline: Rate) -> float | None:
    """The baseline's rate at the likeliest pair on the line; None where the line misses the unit square.

    The negative log likelihood is convex along the line, so its slope is followed down by bisection.
    """
    low = max(0.0, -line.intercept / line.slope)
    high = min(1.0, (1.0 - line.intercept) / line.slope)
    if low > high:
        return None
    c_yes, c_no = candidate.count, candidate.trials - candidate.count
    b_yes, b_no = baseline.count, baseline.trials - baseline.count
    for _ in range(_STEPS):
        q = 0.5 * (low + high)
        p = line.slope * q + line.intercept
        if not (0.0 < q < 1.0 and 0.0 < p < 1.0):
            break
        if line.slope * (c_no / (1.0 - p) - c_yes / p) + b_no / (1.0 - q) - b_yes / q > 0:
            high = q
        else:
            low = q
    # The end of the interval itself is the best where the slope never turns.
    ends = [low, high]
    return min(
        ends,
        key=lambda q: (
            _negative_log_likelihood(candidate, min(1.0, max(0.0, line.slope * q + line.intercept)))
            + _negative_log_likelihood(baseline, q)
        ),
    )


def last_true(holds: Callable[[float], bool], start: float, end: float) -> float:
    """The point nearest to `end` at which `holds`, which is true near `start` only; `start` where nowhere."""
    inside, outside = start, end
    for _ in range(_BOUND_STEPS):
        middle = 0.5 * (inside + outside)
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside
