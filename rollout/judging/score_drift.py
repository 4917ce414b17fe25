"""Distances between two distributions of scores, with bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.sequential import normal_mixture_radius
from rollout.judging.design_effect import jackknife

GROUPS = 10
_SMOOTHING = 0.5


@dataclass(frozen=True, slots=True)
class Distance:
    """An estimate, freed of its bias from small samples, with bounds valid at all times together."""

    estimate: float
    low: float
    high: float


def population_stability_index(
    candidate: NDArray[np.int64], baseline: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Σ (p − q) ln(p / q) over groups, for each row (Siddiqi 2006, Credit Risk Scorecards).

    candidate, baseline  int64[R, B], counts by group → float64[R]

    Half a count is added to each group, so that an empty one makes no infinity.
    """
    p = _shares(candidate + _SMOOTHING)
    q = _shares(baseline + _SMOOTHING)
    index: NDArray[np.float64] = ((p - q) * np.log(p / q)).sum(axis=1)
    return index


def kolmogorov_smirnov(candidate: NDArray[np.int64], baseline: NDArray[np.int64]) -> NDArray[np.float64]:
    """The largest distance of the cumulative shares, 0…1, for each row; NaN where a row has no counts.

    candidate, baseline  int64[R, B], counts by bin, in order → float64[R]
    """
    with np.errstate(invalid="ignore"):
        difference = np.cumsum(_shares(candidate) - _shares(baseline), axis=1)
    distance: NDArray[np.float64] = np.abs(difference).max(axis=1)
    return distance


def psi_distance(
    candidate: NDArray[np.int64], baseline: NDArray[np.int64], information: float, alpha: float
) -> Distance:
    """The population stability index over ten groups of about equal size, with bounds.

    candidate, baseline  int64[G, B], counts by cluster of shoppers and bin
    information          as in `normal_mixture_radius`

    Between two samples of one distribution the plain index averages (B − 1)(1/n + 1/m) (Yurdakul 2018), and
    more where scores of a shopper resemble each other; the jackknife over clusters takes that off.
    """
    groups = _groups(candidate.sum(axis=0) + baseline.sum(axis=0))
    return _distance(
        jackknife(_grouped(candidate, groups), _grouped(baseline, groups), population_stability_index),
        information,
        alpha,
    )


def ks_distance(
    candidate: NDArray[np.int64], baseline: NDArray[np.int64], information: float, alpha: float
) -> Distance:
    """The Kolmogorov-Smirnov distance over all bins, with bounds; arguments as of `psi_distance`."""
    return _distance(jackknife(candidate, baseline, kolmogorov_smirnov), information, alpha)


def _distance(estimated: tuple[float, float, float], information: float, alpha: float) -> Distance:
    plain, corrected, error = estimated
    radius = normal_mixture_radius(error, information, alpha)
    # Near 0 the correction of a distance may go too far: the smaller of the two is used.
    low, high = sorted((plain, corrected))
    return Distance(max(0.0, corrected), max(0.0, low - radius), high + radius)


def _shares(counts: NDArray[np.generic]) -> NDArray[np.float64]:
    values = counts.astype(np.float64)
    shares: NDArray[np.float64] = values / values.sum(axis=1, keepdims=True)
    return shares


def _groups(counts: NDArray[np.int64]) -> NDArray[np.intp]:
    """intp[B]: the group of each bin, so that groups of neighbouring bins hold about a tenth each."""
    before = np.cumsum(counts) - counts
    middle = (before + counts / 2) / counts.sum()
    return np.unique((middle * GROUPS).astype(np.intp), return_inverse=True)[1]


def _grouped(counts: NDArray[np.int64], groups: NDArray[np.intp]) -> NDArray[np.int64]:
    together = np.zeros((counts.shape[0], int(groups.max()) + 1), np.int64)
    np.add.at(together.T, groups, counts.T)
    return together
