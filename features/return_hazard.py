"""How soon shoppers come back: cumulative hazards of returning per group, learned from censored spells.

A spell begins when a shopper takes something of a group and ends when the same shopper takes of it again,
or, censored, when the log ends. The chance of a return within t days is 1 − exp(−H(t)), H by Nelson and
Aalen: the sum of returns over spells still open (W. Nelson, Technometrics 14, 1972; O. Aalen, Annals of
Statistics 6, 1978). It tends to the estimator of Kaplan and Meier, and never exceeds 1 in a small group.

That few return says little by itself: of most groups few take at all. `days_until_as_likely` compares them
with how often a shopper who took anything takes of the group (`rates_after`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Indices = NDArray[np.integer[Any]]

GRID_DAYS: Float64 = np.array(
    [0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 730, 1460, 3650], np.float64
)
"""Days after the start of a spell at which hazards are kept; between them they are interpolated."""
_GRID_STEPS = np.diff(GRID_DAYS)
_LARGEST_PART = 0.999
_LEAST_AT_RISK = 5.0


def cumulative_hazards(
    group: Indices, days: Float64, returned: NDArray[np.bool_], parent: Indices, strength: float
) -> NDArray[np.float32]:
    """The cumulative hazard of returning of each group, smoothed to its parent's, and that to all groups'.

    Args:
        group: int[s], group of each spell, 0…g − 1.
        days: float64[s], its length in days, at least 0.
        returned: bool[s], whether it ended by a return; False = censored.
        parent: int[g], parent of each group, from 0.
        strength: spells' worth of the parent's hazard that is mixed into a group's own.

    Returns:
        float32[g, len(GRID_DAYS)], ascending along each row. Where no spell lasts long enough to know, the
        rate of the last days known goes on.
    """
    groups, points = len(parent), len(GRID_DAYS)
    cell = np.clip(np.searchsorted(GRID_DAYS, days), 0, points - 1)
    shape = groups * points
    ended = np.bincount(group * points + cell, minlength=shape).reshape(groups, points).astype(np.float64)
    back = np.bincount((group * points + cell)[returned], minlength=shape).reshape(groups, points)
    # A spell censored inside an interval was open for half of it.
    at_risk = np.cumsum(ended[:, ::-1], axis=1)[:, ::-1] - (ended - back) / 2
    parents = int(parent.max(initial=0)) + 1
    of_parent = np.zeros((2, parents, points))
    np.add.at(of_parent[0], parent, back)
    np.add.at(of_parent[1], parent, at_risk)
    width = np.diff(GRID_DAYS, prepend=0.0)
    overall = _carried_on(back.sum(axis=0), at_risk.sum(axis=0), width)
    above = (of_parent[0] + strength * overall) / (of_parent[1] + strength)
    part = (back + strength * above[parent]) / (at_risk + strength)
    part[:, 0] = 0.0
    return np.cumsum(-np.log1p(-np.minimum(part, _LARGEST_PART)), axis=1).astype(np.float32)


def _carried_on(back: Float64, at_risk: Float64, width: Float64) -> Float64:
    """float64[points], part of the open spells that end in each interval; unknown ones at the last rate."""
    parts, rate = np.zeros(len(width)), 0.0
    for interval in range(1, len(width)):
        if at_risk[interval] >= _LEAST_AT_RISK:
            parts[interval] = min(back[interval] / at_risk[interval], _LARGEST_PART)
            rate = -np.log1p(-parts[interval]) / width[interval]
        else:
            parts[interval] = -np.expm1(-rate * width[interval])
    return parts


def hazard_at(hazards: NDArray[np.floating], group: Indices, days: Float64) -> Float64:
    """float64[n], the cumulative hazard of `group` int[n] after `days` float64[n], at least 0."""
    below = np.minimum(np.searchsorted(GRID_DAYS, days, side="right") - 1, len(GRID_DAYS) - 2)
    part = np.minimum((days - GRID_DAYS[below]) / _GRID_STEPS[below], 1.0)
    return np.asarray(hazards[group, below] * (1 - part) + hazards[group, below + 1] * part, np.float64)


def days_until(hazards: NDArray[np.floating], share: float) -> Float64:
    """float64[g], days until the part `share` (0 to below 1) of the shoppers is back; inf = never."""
    wanted = -np.log1p(-share)
    return np.array([np.interp(wanted, row, GRID_DAYS, right=np.inf) for row in hazards], np.float64)


def days_that_follow(shopper: Indices, day: Indices, end: int) -> Float64:
    """How many days with a take follow a day with a take, and how many could be seen: sums over the shoppers.

    Args:
        shopper: int[n], of each day on which a shopper took something, each day once, ascending.
        day: int[n], the day, ascending for each shopper, at most `end`.
        end: the log's last day; what lies behind it is unknown and counts neither way.

    Returns:
        float64[2, len(GRID_DAYS)]: those that follow within each interval that ends at one of GRID_DAYS, and
        the days of which the interval is known, a part for a part. Those of different shoppers add up.
    """
    day = day.astype(np.int64)
    first = day.min(initial=end)
    key = shopper.astype(np.int64) * (end - first + 1) + day - first
    last = key + (end - day)
    edges = GRID_DAYS.astype(np.int64)
    found = np.zeros((2, len(edges)))
    before = np.searchsorted(key, key, side="right")
    for number in range(1, len(edges)):
        until = np.searchsorted(key, np.minimum(key + edges[number], last), side="right")
        width = edges[number] - edges[number - 1]
        seen = np.clip(end - day - edges[number - 1], 0, width).sum() / width
        found[:, number] = (until - before).sum(), seen
        before = until
    return found


def rates_after(followed: Float64) -> Float64:
    """float64[len(GRID_DAYS)], days with a take up to each of GRID_DAYS after one on average; from 0 up.

    followed: float64[2, len(GRID_DAYS)], of `days_that_follow`. Where the log is too short to know, the
    rate of the last days known goes on.
    """
    parts, per_day = np.zeros(len(GRID_DAYS)), 0.0
    width = np.diff(GRID_DAYS, prepend=0.0)
    for number in range(1, len(GRID_DAYS)):
        days, seen = followed[:, number]
        if seen >= _LEAST_AT_RISK:
            per_day = days / seen / width[number]
        parts[number] = per_day * width[number]
    return np.cumsum(parts)


def days_until_as_likely(
    hazards: NDArray[np.floating], usual: NDArray[np.floating], horizon: float
) -> Float64:
    """Days after a take from which a shopper is as likely to take of the group as one who took anything.

    Args:
        hazards: float[g, len(GRID_DAYS)], of `cumulative_hazards`.
        usual: float[g, len(GRID_DAYS)], takes of the group up to each day after a take of anything.
        horizon: days ahead within which both are compared.

    Returns:
        float64[g], the first of GRID_DAYS at which the hazard of the days ahead is not below the usual; inf
        where there is none.
    """
    ahead = GRID_DAYS + horizon
    own, others = (
        np.array([np.interp(ahead, GRID_DAYS, row) - row for row in rows.astype(np.float64)])
        for rows in (hazards, usual)
    )
    likely = own >= others
    return np.where(likely.any(axis=1), GRID_DAYS[likely.argmax(axis=1)], np.inf)
