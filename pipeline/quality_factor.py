"""Narrows requests while they are slow, so that a percentile of their latency settles at a target.

Under overload a stage that misses its part of the time is left out whole. Asking each for a little less keeps
all of them in. The rule is that of Twitter's Product Mixer
(https://github.com/twitter/the-algorithm, LinearLatencyQualityFactor): up by a step after a request within
the target, down by step x p / (100 - p) after one beyond it. The two balance where p in 100 requests are
within the target, which is where the p-th percentile of latency is the target: a stochastic approximation of
a quantile (Robbins and Monro, 1951).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QualityRule:
    """How the factor moves.

    target_ms   milliseconds the percentile of latency settles at
    percentile  0 to 100, both excluded
    step        what a request within the target adds to the factor
    minimum     least factor, above 0, at most 1
    """

    target_ms: float
    percentile: float = 95.0
    step: float = 0.002
    minimum: float = 0.25


class QualityFactor:
    """The factor of one scene in one process: 1 while latency is under the target, less while it is not."""

    __slots__ = ("_down", "rule", "value")

    def __init__(self, rule: QualityRule) -> None:
        """Begins at 1."""
        self.rule = rule
        self._down = rule.step * rule.percentile / (100.0 - rule.percentile)
        self.value = 1.0
        """Part of its full width that a request is given now, `rule.minimum` to 1."""

    def observe(self, latency_ms: float) -> None:
        """Moves the factor by one answered request."""
        if latency_ms > self.rule.target_ms:
            self.value = max(self.rule.minimum, self.value - self._down)
        else:
            self.value = min(1.0, self.value + self.rule.step)


def narrowed(count: int, width: float, at_least: int) -> int:
    """`count` items narrowed to the part `width` of them, but not below `at_least`, nor widened."""
    return count if width >= 1.0 else min(count, max(math.ceil(count * width), at_least))
