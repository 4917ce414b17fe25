"""Latencies in log-spaced buckets: quantiles with a known relative error, whatever the range."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LOWEST_MS = 0.1
HIGHEST_MS = 100_000.0
GROWTH = 1.04
"""Upper edge of a bucket over its lower edge: a quantile is known to within 4 %."""

_SCALE = 1.0 / math.log(GROWTH)
_INNER = math.ceil(math.log(HIGHEST_MS / LOWEST_MS) * _SCALE)
BUCKETS = _INNER + 2
"""The first bucket holds what is below `LOWEST_MS`, the last what is above `HIGHEST_MS`."""

UPPER_EDGES_MS: NDArray[np.float64] = np.append(LOWEST_MS * GROWTH ** np.arange(_INNER + 1), np.inf)
"""float64[BUCKETS], milliseconds."""
LOWER_EDGES_MS: NDArray[np.float64] = np.append(0.0, UPPER_EDGES_MS[:-1])
"""float64[BUCKETS], milliseconds."""


def latency_bucket(latency_ms: float) -> int:
    """The bucket of a finite latency of at least 0 ms."""
    if latency_ms < LOWEST_MS:
        return 0
    return min(int(math.log(latency_ms / LOWEST_MS) * _SCALE) + 1, BUCKETS - 1)


def quantile_bucket(counts: NDArray[np.int64], quantile: float) -> int | None:
    """The bucket that contains the empirical quantile; None where nothing was counted.

    counts  int64[BUCKETS]
    """
    total = int(counts.sum())
    if total == 0:
        return None
    wanted = max(1, math.ceil(quantile * total))
    return int(np.searchsorted(np.cumsum(counts), wanted))


def quantile_ms(counts: NDArray[np.int64], quantile: float) -> float:
    """The empirical quantile in milliseconds: the upper edge of its bucket, NaN where nothing was counted.

    The true empirical quantile is above the result divided by `GROWTH`.
    """
    bucket = quantile_bucket(counts, quantile)
    return math.nan if bucket is None else float(UPPER_EDGES_MS[bucket])
