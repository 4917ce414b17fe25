"""What a policy would have been worth, from draws of another policy whose probabilities were logged.

IPS   inverse propensity scoring (Horvitz and Thompson 1952): unbiased where every action that the target
      policy takes could be drawn
SNIPS the same, divided by the mean weight (Swaminathan and Joachims, NeurIPS 2015): a bias that vanishes with
      the number of draws, for less variance
DR    doubly robust (Dudík, Langford and Li, ICML 2011): the value by a reward model, corrected by weighted
      residuals; unbiased where the propensities are right, whatever the model is
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.grouped_ratio import Float64, Interval, grouped_ratio, interval_of


class NoPropensities(ValueError):
    """Nothing can be estimated: no draw with a known probability is there."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """n actions that were drawn at random, each in its own context.

    rewards       float64[n]
    propensities  float64[n], the probability with which each was drawn, above 0 and at most 1
    targets       float64[n], the probability with which the target policy would draw it, 0 to 1
    predicted     float64[n], a reward model's reward of it
    expected      float64[n], the mean of that model's rewards under the target policy in the same context
    groups        int64[n]; draws of one group, a shopper, may depend on each other

    The reward model must not have been fitted on the group that it predicts.
    """

    rewards: Float64
    propensities: Float64
    targets: Float64
    predicted: Float64
    expected: Float64
    groups: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raises NoPropensities where there is no draw, or one without a probability."""
        if self.rewards.size == 0:
            raise NoPropensities("no draw with a known probability")
        wrong = ~((self.propensities > 0) & (self.propensities <= 1))
        if wrong.any():
            raise NoPropensities(
                f"{np.count_nonzero(wrong)} of {wrong.size} draws have no probability above 0 and at most 1"
            )


class Estimates(NamedTuple):
    """Mean reward per draw, by estimator, with intervals.

    logged     of the policy that drew
    ips, snips, dr            of the target policy
    ips_gain, snips_gain, dr_gain  of the target policy less that of the policy that drew, on the same draws
    weight     mean weight; 1 where the target policy takes nothing that could not be drawn
    effective  (sum of weights)² / sum of squared weights: draws that would tell as much unweighted
    largest    weight
    """

    logged: Interval
    ips: Interval
    snips: Interval
    dr: Interval
    ips_gain: Interval
    snips_gain: Interval
    dr_gain: Interval
    weight: Interval
    effective: float
    largest: float


def estimate(draws: Draws, level: float = 0.95) -> Estimates:
    """The target policy's mean reward; `level`: probability that each interval is to cover, 0…1.

    Weights are not clipped: where few draws carry them, `effective` says so.
    """
    rewards, groups = draws.rewards, draws.groups
    ones = np.ones_like(rewards)
    weights = draws.targets / draws.propensities
    weighted = weights * rewards
    robust = draws.expected + weights * (rewards - draws.predicted)
    mean_weight, logged = float(weights.mean()), float(rewards.mean())
    snips = grouped_ratio(weighted, weights, groups, level)
    gain = weights * (rewards - snips.value) / mean_weight if mean_weight else np.full(rewards.size, np.nan)
    squares = float(np.square(weights).sum())
    return Estimates(
        logged=grouped_ratio(rewards, ones, groups, level),
        ips=grouped_ratio(weighted, ones, groups, level),
        snips=snips,
        dr=grouped_ratio(robust, ones, groups, level),
        ips_gain=grouped_ratio(weighted - rewards, ones, groups, level),
        snips_gain=interval_of(snips.value - logged, gain - (rewards - logged), groups, level),
        dr_gain=grouped_ratio(robust - rewards, ones, groups, level),
        weight=grouped_ratio(weights, ones, groups, level),
        effective=float(weights.sum()) ** 2 / squares if squares else 0.0,
        largest=float(weights.max()),
    )
