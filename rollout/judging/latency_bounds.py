"""Bounds of a quantile of latency that stay valid however often they are computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.sequential import Rate, log_evidence_of_rate
from rollout.judging.design_effect import design_effect
from rollout.latency_histogram import UPPER_EDGES_MS, quantile_bucket


def quantile_bounds_ms(
    counts: NDArray[np.int64], quantile: float, alpha: float, effect: float = 1.0
) -> tuple[float, float]:
    """A confidence sequence of the true quantile, in milliseconds.

    counts    int64[latency_histogram.BUCKETS]
    quantile  0…1
    alpha     chance that the true quantile is ever outside
    effect    design effect: requests with the information of one independent request (see `latency_effect`)

    Whether a request takes longer than the true quantile is a trial with a known rate, whatever the
    distribution (Howard and Ramdas 2022, arXiv:1906.09712): an edge is below the quantile once the requests
    above it are too many for that rate, and above it once they are too few. The bounds are edges of buckets,
    so they hold for the latencies themselves. With little data they are 0 and infinity.
    """
    total = float(counts.sum()) / effect
    if not total:
        return 0.0, math.inf
    rate, threshold = 1.0 - quantile, -math.log(alpha)
    above_upper_edge = (counts.sum() - np.cumsum(counts)) / effect
    # Most buckets are empty, and edges around them have the same number of requests above them.
    distinct, inverse = np.unique(above_upper_edge, return_inverse=True)
    unusual = np.array(
        [log_evidence_of_rate(Rate(above, total), rate) >= threshold for above in distinct.tolist()]
    )[inverse]
    too_many = np.flatnonzero(unusual & (above_upper_edge > rate * total))
    too_few = np.flatnonzero(unusual & (above_upper_edge < rate * total))
    low = float(UPPER_EDGES_MS[too_many[-1]]) if too_many.size else 0.0
    high = float(UPPER_EDGES_MS[too_few[0]]) if too_few.size else math.inf
    return low, high


def latency_effect(arms: Sequence[NDArray[np.int64]], quantile: float) -> float:
    """The design effect of being slower than the quantile: shoppers with long histories are slow every time.

    arms  int64[CLUSTERS, latency_histogram.BUCKETS] of each arm
    """
    slower = []
    for counts in arms:
        bucket = quantile_bucket(counts.sum(axis=0), quantile)
        if bucket is not None:
            slower.append((counts[:, bucket + 1 :].sum(axis=1), counts.sum(axis=1)))
    return design_effect(slower)
