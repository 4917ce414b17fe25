"""Exponential decay in steps of a minute, in whole numbers, so that a replay gives the same bits.

A count is an int64 in units of 2⁻²⁰. Within a minute counts are only added, which is exact in any order; when
a row is touched in a later minute, it is first multiplied by 2^(−minutes / half-life) and rounded.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

TICK_S = 60
"""Seconds of a step."""
HALF_LIVES_S = {"1h": 3_600, "1d": 86_400, "7d": 604_800}
"""Half-lives by name, in the order of the counters' middle axis."""
SIGNALS = ("impressions", "clicks", "views", "purchases")
"""What is counted, in the order of the counters' last axis: impressions that carry an attribution token, the
clicks of these, and all views and purchases."""
ONE = 1 << 20
"""The count 1."""
_MOST_HALF_LIVES = 40
_FADING = np.array([-TICK_S / half_life for half_life in HALF_LIVES_S.values()])
"""Halvings in a tick, by half-life, negative."""


@cache
def _factors(half_life_s: int) -> NDArray[np.float64]:
    """float64[k]: what a count is multiplied by after so many ticks; the last is 0."""
    ticks = np.arange(_MOST_HALF_LIVES * half_life_s // TICK_S)
    factors = np.append(np.exp2(-ticks * TICK_S / half_life_s), 0.0)
    factors.flags.writeable = False
    return factors


def decayed(counts: NDArray[np.int64], ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[n, h, s]: counts of the same shape, `ticks` int64[n], not negative, later."""
    result = np.empty_like(counts)
    for position, half_life_s in enumerate(HALF_LIVES_S.values()):
        factors = _factors(half_life_s)
        factor = factors[np.minimum(ticks, factors.size - 1)]
        result[:, position] = np.rint(counts[:, position] * factor[:, None])
    return result


def as_read(counts: NDArray[np.int64], ticks: NDArray[np.int64], now_s: float) -> NDArray[np.float32]:
    """float32[n, h, s]: counts as of unix second `now_s`, `ticks` int64[n] being those they are of."""
    age = np.maximum(now_s / TICK_S - ticks, 0.0)
    factors = np.exp2(age[:, None] * _FADING).astype(np.float32)
    factors *= np.float32(1 / ONE)
    result = counts.astype(np.float32)
    result *= factors[:, :, None]
    return result
