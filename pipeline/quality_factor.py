"""Narrows requests while they are slow, so that a percentile of their latency settles at a target.

Under overload a stage that misses its part of the time is left out whole. Asking each for a little less keeps
all of them in. The rule is that of Twitter's Product Mixer
(https://github.com/twitter/the-algorithm, LinearLatencyQualityFactor): up by a step after a request within
the target, down by step x p / (100 - p) after one beyond it. The two balance where p in 100 requests are
within the target, which is where the p-th percentile of latency is the target: a stochastic approximation of
a quantile (Robbins and Monro, 1951).

Requests are given not the factor but one of a few widths: a width decides which items a page has, so two
replicas that are a thousandth apart would answer the same request differently. A width becomes narrower at
once, and wider at moments that are the same on every replica. The factor recovers with the time since the
last slow answer too, so that a scene nobody asks for does not stay narrow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QualityRule:
    """How the factor moves, and which widths it means.

    target_ms   milliseconds the percentile of latency settles at
    percentile  0 to 100, both excluded
    step        what a request within the target adds to the factor
    minimum     least factor, above 0, at most 1
    levels      number of widths, from 1 down to the minimum in equal parts, at least 2
    recover_s   seconds after a slow answer at which the factor is 1 again if no other follows
    widen_every_s  seconds of unix time, at whose multiples the width may become wider
    """

    target_ms: float
    percentile: float = 95.0
    step: float = 0.002
    minimum: float = 0.25
    levels: int = 4
    recover_s: float = 60.0
    widen_every_s: float = 15.0


class QualityFactor:
    """The factor of one scene in one process: 1 while latency is under the target, less while it is not."""

    __slots__ = (
        "_changed_in",
        "_clock",
        "_down",
        "_level",
        "_slow_at",
        "_value",
        "_wall_clock",
        "_widths",
        "rule",
    )

    def __init__(
        self,
        rule: QualityRule,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Begins at 1; `clock`: monotonic seconds; `wall_clock`: unix seconds."""
        self.rule = rule
        self._clock = clock
        self._wall_clock = wall_clock
        self._down = rule.step * rule.percentile / (100.0 - rule.percentile)
        part = (1.0 - rule.minimum) / (rule.levels - 1)
        self._widths = [1.0 - level * part for level in range(rule.levels - 1)] + [rule.minimum]
        self._value = 1.0
        self._level = 0
        self._changed_in = self._interval()
        self._slow_at = -math.inf

    @property
    def value(self) -> float:
        """The factor now, `rule.minimum` to 1."""
        recovered = (self._clock() - self._slow_at) / self.rule.recover_s
        return min(1.0, max(self._value, self.rule.minimum + (1.0 - self.rule.minimum) * recovered))

    @property
    def width(self) -> float:
        """Part of its full width that a request is given now: one of the rule's widths.

        It becomes the next narrower one where the factor is closer to that. It becomes the next wider one
        where the factor has reached that, once in each interval of `widen_every_s`, and not in one in which
        it has become narrower.
        """
        value, widths, before = self.value, self._widths, self._level
        last = len(widths) - 1
        if before > 0 and value >= widths[before - 1]:
            if self._interval() != self._changed_in:
                self._level -= 1
        else:
            while self._level < last and 2.0 * value < widths[self._level] + widths[self._level + 1]:
                self._level += 1
        if self._level != before:
            self._changed_in = self._interval()
        return widths[self._level]

    def _interval(self) -> int:
        return int(self._wall_clock() // self.rule.widen_every_s)

    def observe(self, latency_ms: float) -> None:
        """Moves the factor by one answered request."""
        if latency_ms > self.rule.target_ms:
            self._value = max(self.rule.minimum, self.value - self._down)
            self._slow_at = self._clock()
        else:
            # Not beyond the next wider width: what is learned at this one says nothing about it.
            highest = self._widths[max(0, self._level - 1)]
            self._value = max(self._value, min(highest, self.value + self.rule.step))

    def go_on_from(self, other: QualityFactor) -> None:
        """Takes over what another rule has learned."""
        self._value = min(1.0, max(self.rule.minimum, other.value))
        self._slow_at = other._slow_at


def narrowed(count: int, width: float, at_least: int) -> int:
    """`count` items narrowed to the part `width` of them, but not below `at_least`, nor widened."""
    return count if width >= 1.0 else min(count, max(math.ceil(count * width), at_least))
