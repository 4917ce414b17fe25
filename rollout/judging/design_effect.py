"""The design effect of clusters: how far requests of the same shoppers are from independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.sequential import Rate

Clusters = NDArray[np.int64]
Totals = NDArray[np.int64] | NDArray[np.float64]


def design_effect(arms: Sequence[tuple[Totals, Clusters]]) -> float:
    """The variance of the arms' rates over what independent trials would have; at least 1.

    arms  (successes int64[G], trials int64[G]) by cluster of shoppers; in place of successes, sums float64[G]
          of values from 0 to 1, one per trial, which vary no more than successes of the same mean

    The variance is that of a ratio of cluster totals, by linearisation (Cochran 1977, ch. 6); a shopper
    is in one cluster, so what their requests have in common is included.
    """
    found = expected = 0.0
    for successes, trials in arms:
        total = trials.sum()
        used = int((trials > 0).sum())
        if used < 2:
            continue
        rate = successes.sum() / total
        residuals = successes - rate * trials
        found += float((residuals**2).sum()) * used / (used - 1)
        expected += float(total * rate * (1.0 - rate))
    return max(1.0, found / expected) if expected > 0 else 1.0


def effective(successes: Totals, trials: Clusters, effect: float) -> Rate:
    """The rate with the numbers of independent successes and trials that contain as much information.

    The adjustment of Rao and Scott 1992 (Biometrics 48, 577-585): both are divided by the design effect.
    """
    return Rate(float(successes.sum()) / effect, float(trials.sum()) / effect)


def jackknife(
    candidate: NDArray[np.int64],
    baseline: NDArray[np.int64],
    estimate: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]],
) -> tuple[float, float, float]:
    """An estimate from two arms, the same without its first-order bias, and its standard error.

    candidate, baseline  int64[G, B], counts by cluster
    estimate             (int64[R, B], int64[R, B]) → float64[R], from counts summed over clusters

    The same cluster is left out of both arms in turn (Quenouille 1956; Tukey 1958). Raises ValueError where
    fewer than two clusters hold anything.
    """
    used = (candidate.sum(axis=1) > 0) | (baseline.sum(axis=1) > 0)
    count = int(used.sum())
    if count < 2:
        raise ValueError("at least two clusters with counts are expected")
    one, other = candidate[used], baseline[used]
    full = float(estimate(one.sum(axis=0, keepdims=True), other.sum(axis=0, keepdims=True))[0])
    without = estimate(one.sum(axis=0) - one, other.sum(axis=0) - other)
    corrected = count * full - (count - 1) * float(without.mean())
    variance = (count - 1) / count * float(((without - without.mean()) ** 2).sum())
    return full, corrected, float(np.sqrt(variance))
