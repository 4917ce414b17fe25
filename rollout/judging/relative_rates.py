"""Whether a rate of feedback fell relative to the baseline's; valid however often it is tested.

Two e-processes are kept side by side. The exact one holds from the first click on and catches a candidate
that gets no clicks. It assumes nothing about either rate, which costs power: the mixture sequential
probability ratio test on the logarithm of the ratio, tuned to the fall that matters, needs well below half
the impressions, and holds once there are enough clicks for that logarithm to be near normal. The larger of
both counts, at half the chance of error.
"""

from __future__ import annotations

import math

from foundation.statistics.sequential import (
    Line,
    Rate,
    last_true,
    log_evidence_above,
    log_evidence_below,
    log_evidence_of_shift,
)

NEAR_NORMAL = 50
"""Successes in each group from which the logarithm of the ratio of rates is taken as near normal."""

_FLAT = 1e-9


def log_evidence_of_fall(candidate: Rate, baseline: Rate, ratio: float, scale: float) -> float:
    """Log e-process of the hypothesis that the candidate's rate is at least `ratio` times the baseline's.

    scale  difference of log rates that matters, above 0
    """
    return _larger(
        log_evidence_below(candidate, baseline, Line(ratio, 0.0)),
        _shift(candidate, baseline, ratio, scale, sign=-1.0),
    )


def log_evidence_of_no_fall(candidate: Rate, baseline: Rate, ratio: float, scale: float) -> float:
    """Log e-process of the hypothesis that the candidate's rate is at most `ratio` times the baseline's."""
    return _larger(
        log_evidence_above(candidate, baseline, Line(ratio, 0.0)),
        _shift(candidate, baseline, ratio, scale, sign=1.0),
    )


def ratio_bounds(candidate: Rate, baseline: Rate, scale: float, alpha: float) -> tuple[float, float]:
    """A confidence sequence of the candidate's rate over the baseline's; each side has chance `alpha`.

    The upper bound is infinite where the baseline's rate may be 0.
    """
    threshold = -math.log(alpha)

    # The search runs over r / (1 + r), which is bounded.
    def ratio(share: float) -> float:
        return share / (1.0 - share)

    together = candidate.mean + baseline.mean
    middle = candidate.mean / together if together > 0 else 0.5
    low = last_true(
        lambda share: log_evidence_of_no_fall(candidate, baseline, ratio(share), scale) >= threshold,
        0.0,
        middle,
    )
    high = last_true(
        lambda share: log_evidence_of_fall(candidate, baseline, ratio(share), scale) >= threshold,
        1.0 - _FLAT,
        middle,
    )
    return ratio(low), math.inf if high >= 1.0 - 2 * _FLAT else ratio(high)


def _shift(candidate: Rate, baseline: Rate, ratio: float, scale: float, *, sign: float) -> float:
    """The normal test; no evidence at all while there are too few successes."""
    if min(candidate.count, baseline.count) < NEAR_NORMAL:
        return -math.inf
    variance = sum((1.0 - rate.mean) / rate.count for rate in (candidate, baseline))
    if variance <= 0:
        return -math.inf
    deviation = math.log(candidate.mean / baseline.mean) - math.log(ratio)
    return log_evidence_of_shift(sign * deviation, math.sqrt(variance), scale)


def _larger(exact: float, near_normal: float) -> float:
    return max(exact, near_normal) - math.log(2.0)
