"""What is known of a quantile of latency, however often one looks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from router.rollout.latency_histogram import LOWER_EDGES_MS, UPPER_EDGES_MS
from router.rollout.sequential import Rate, log_evidence_of_rate


def quantile_bounds_ms(counts: NDArray[np.int64], quantile: float, alpha: float) -> tuple[float, float]:
    """A confidence sequence of the true quantile, in milliseconds.

    counts    int64[latency_histogram.BUCKETS]
    quantile  0…1
    alpha     chance that the true quantile is ever outside

    Whether a request takes longer than the true quantile is a trial with a known rate, whatever the
    distribution (Howard and Ramdas 2022, arXiv:1906.09712): an edge is below the quantile once the requests
    above it are too many for that rate, and above it once they are too few. The bounds are edges of buckets,
    so they hold for the latencies themselves. With little data they are 0 and infinity.
    """
    total = int(counts.sum())
    rate = 1.0 - quantile
    fewest, most = _usual_exceedances(total, rate, -math.log(alpha))
    above_upper_edge = total - np.cumsum(counts)
    too_many = np.flatnonzero(above_upper_edge > most)
    too_few = np.flatnonzero(above_upper_edge < fewest)
    low = float(UPPER_EDGES_MS[too_many[-1]]) if too_many.size else float(LOWER_EDGES_MS[0])
    high = float(UPPER_EDGES_MS[too_few[0]]) if too_few.size else math.inf
    return low, high


def _usual_exceedances(total: int, rate: float, threshold: float) -> tuple[int, int]:
    """The smallest and the largest count of `total` trials that leave `rate` in doubt."""
    if not total:
        return 0, 0
    middle = round(total * rate)

    def unusual(count: int) -> bool:
        return log_evidence_of_rate(Rate(count, total), rate) >= threshold

    return (
        _edge(unusual, inside=middle, outside=-1),
        _edge(unusual, inside=middle, outside=total + 1),
    )


def _edge(unusual: Callable[[int], bool], inside: int, outside: int) -> int:
    """The count furthest towards `outside` that is not unusual; `outside` itself is no count."""
    while abs(outside - inside) > 1:
        between = (inside + outside) // 2
        if unusual(between):
            outside = between
        else:
            inside = between
    return inside
