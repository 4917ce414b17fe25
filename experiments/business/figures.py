"""The figures of a group of shoppers, each with its 95 % interval, in which the shopper is the unit."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.business.activity import BOUGHT, BOUGHT_SHOWN, CLICKED, SEEN, SERVED, Activity
from experiments.effects import Estimate, mean, ratio
from foundation.statistics.proportions import wilson_interval

CTR, CVR, GMV = "ctr", "cvr", "gmv_per_shopper"
RETENTION, PAYING, STICKINESS = "retention_7d", "paying_rate", "stickiness"
FIGURES: Mapping[str, str] = {
    CTR: "CTR",
    CVR: "CVR",
    GMV: "GMV per shopper",
    RETENTION: "7-day return",
    PAYING: "paying rate",
    STICKINESS: "DAU / MAU",
}
"""Figures by key, as people call them."""
RETENTION_DAYS = 7
MONTH_DAYS = 30
DAY_MS = 86_400_000


class Figure(msgspec.Struct, frozen=True):
    """A figure of one group; all None where there is nothing to tell it from.

    of  what it is a share or mean of: items shown, or shoppers
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    of: int = 0


class GroupFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One group of shoppers.

    Attributes:
        kind: "all", "segment" or "arm".
        name: of the group; of all shoppers empty.
        shoppers: who did anything.
        shown, clicked, bought: items of answers.
        purchases: all of them, of answers or not.
        gmv: price times quantity of these.
        figures: by key of `FIGURES`.
    """

    kind: str
    name: str
    shoppers: int
    shown: int
    clicked: int
    bought: int
    purchases: int
    gmv: float
    figures: dict[str, Figure]


def group_figures(
    kind: str, name: str, activity: Activity, rows: NDArray[np.bool_], end_ms: int
) -> GroupFigures:
    """The figures of the shoppers who have one of the rows bool[n] of the activity, by these rows alone.

    end_ms: unix millisecond at which the log ends: what happens later is not known.
    """
    shopper, ts_ms = activity.shopper[rows], activity.ts_ms[rows]
    kinds, amount = activity.kind[rows], activity.amount[rows]
    members, number = np.unique(shopper, return_inverse=True)
    count = members.size

    def counted(wanted: int) -> NDArray[np.int64]:
        return np.bincount(number[kinds == wanted], minlength=count).astype(np.int64)

    def summed(wanted: int) -> NDArray[np.float64]:
        of = kinds == wanted
        return np.bincount(number[of], weights=amount[of], minlength=count).astype(np.float64)

    shown = counted(SEEN) if activity.reports_what_is_seen else summed(SERVED).astype(np.int64)
    clicked, bought, purchases, gmv = counted(CLICKED), counted(BOUGHT_SHOWN), counted(BOUGHT), summed(BOUGHT)
    items = int(shown.sum())
    return GroupFigures(
        kind=kind,
        name=name,
        shoppers=count,
        shown=items,
        clicked=int(clicked.sum()),
        bought=int(bought.sum()),
        purchases=int(purchases.sum()),
        gmv=float(gmv.sum()),
        figures={
            CTR: _figure(ratio(clicked, shown), items),
            CVR: _figure(ratio(bought, shown), items),
            GMV: _figure(mean(gmv), count),
            RETENTION: _retention(number, ts_ms, count, end_ms),
            PAYING: _share(int((purchases > 0).sum()), count),
            STICKINESS: _stickiness(number, ts_ms, count, end_ms),
        },
    )


def _retention(number: NDArray[np.intp], ts_ms: NDArray[np.int64], count: int, end_ms: int) -> Figure:
    """Of those whose first day is followed by seven whole ones, the part that is there on one of these."""
    if not count:
        return Figure()
    day = ts_ms // DAY_MS
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, number, day)
    observed = first + RETENTION_DAYS < end_ms // DAY_MS
    later = day - first[number]
    again = np.zeros(count, np.bool_)
    again[number[(later >= 1) & (later <= RETENTION_DAYS)]] = True
    return _share(int((again & observed).sum()), int(observed.sum()))


def _stickiness(number: NDArray[np.intp], ts_ms: NDArray[np.int64], count: int, end_ms: int) -> Figure:
    """Mean over the last 30 days' shoppers of the part of these days on which they were there: DAU / MAU.

    Where the group's rows span fewer days, over these.
    """
    if not count:
        return Figure()
    last = end_ms // DAY_MS
    days = int(min(MONTH_DAYS, last - ts_ms.min() // DAY_MS + 1))
    day = ts_ms // DAY_MS
    lately = day > last - days
    there = np.unique(number[lately] * np.int64(MONTH_DAYS) + (last - day[lately]))
    active = np.bincount(there // MONTH_DAYS, minlength=count)
    active = active[active > 0]
    return _figure(mean(active / days), active.size)


def _share(part: int, whole: int) -> Figure:
    if not whole:
        return Figure()
    low, high = wilson_interval(part, whole)
    return Figure(part / whole, low, high, whole)


def _figure(estimate: Estimate | None, of: int) -> Figure:
    if estimate is None:
        return Figure(of=of)
    low, high = estimate.interval
    return Figure(estimate.value, max(low, 0.0), high, of)
