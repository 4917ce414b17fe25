"""The report of how a shop does: all shoppers, their segments, and the arms of experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from experiments.business.activity import Activity
from experiments.business.figures import DAY_MS, MONTH_DAYS, RETENTION_DAYS, GroupFigures, group_figures

ALL, SEGMENT, ARM = "all", "segment", "arm"
MOST_SEGMENTS = 50
"""Values of one field of the profile that have a row: those of most shoppers."""


class BusinessReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a shop does, in a log.

    Attributes:
        first_ms, last_ms: unix milliseconds of the first and the last event; 0 where there is none.
        shown: "reported": items that clients reported as seen; "served": items of answers, which only arms
            of experiments log.
        groups: all shoppers, then segments by field, then arms by experiment.
        warnings: what a reader must know before believing the figures.
    """

    first_ms: int
    last_ms: int
    shown: str
    groups: list[GroupFigures]
    warnings: list[str]


def build_report(activity: Activity, segments: Mapping[str, Mapping[str, str]]) -> BusinessReport:
    """The report of a log's activity.

    Args:
        activity: at least one row.
        segments: shopper → field of the profile → value.
    """
    end_ms = int(activity.ts_ms.max())
    everything = np.ones(activity.shopper.size, np.bool_)
    groups = [group_figures(ALL, "", activity, everything, end_ms)]
    groups += _segments(activity, segments, end_ms)
    groups += _arms(activity, end_ms)
    return BusinessReport(
        first_ms=int(activity.ts_ms.min()),
        last_ms=end_ms,
        shown="reported" if activity.reports_what_is_seen else "served",
        groups=groups,
        warnings=list(_warnings(activity)),
    )


def _segments(
    activity: Activity, segments: Mapping[str, Mapping[str, str]], end_ms: int
) -> Iterator[GroupFigures]:
    members: dict[str, dict[str, list[int]]] = {}
    for number, shopper in enumerate(activity.shoppers):
        for field, value in segments.get(shopper, {}).items():
            members.setdefault(field, {}).setdefault(value, []).append(number)
    for field, values in members.items():
        largest = sorted(values.items(), key=lambda each: (-len(each[1]), each[0]))[:MOST_SEGMENTS]
        for value, numbers in largest:
            belongs = np.zeros(len(activity.shoppers), np.bool_)
            belongs[numbers] = True
            yield group_figures(SEGMENT, f"{field}={value}", activity, belongs[activity.shopper], end_ms)


def _arms(activity: Activity, end_ms: int) -> Iterator[GroupFigures]:
    """An arm's shoppers from its first answer on, without those whom another arm of it answered too."""
    never = np.iinfo(np.int64).max
    for experiment, arms in sorted(activity.arms.items()):
        crossed = activity.crossed[experiment]
        for arm, firsts in sorted(arms.items()):
            since = np.full(len(activity.shoppers), never)
            for number, first in firsts.items():
                if number not in crossed:
                    since[number] = first
            rows = activity.ts_ms >= since[activity.shopper]
            yield group_figures(ARM, f"{experiment}/{arm}", activity, rows, end_ms)


def _warnings(activity: Activity) -> Iterator[str]:
    days = int(activity.ts_ms.max() // DAY_MS - activity.ts_ms.min() // DAY_MS) + 1
    spanned = "1 day" if days == 1 else f"{days} days"
    if days < MONTH_DAYS:
        yield f"the log spans {spanned}: DAU / MAU is of these, not of {MONTH_DAYS} days"
    if days <= RETENTION_DAYS + 1:
        yield f"the log spans {spanned}: nobody could be seen to return within {RETENTION_DAYS} days"
    if not activity.reports_what_is_seen:
        yield (
            "no client reports what shoppers see: CTR and CVR are of items in answers of experiments' arms"
        )
    if activity.unreadable:
        yield (
            f"{activity.unreadable:,} events have a token that cannot be read here and count for no answer "
            "or arm; the secret that signed them must be in the environment"
        )
    if activity.unpriced:
        yield f"{activity.unpriced:,} purchases have no price and add nothing to the GMV"
    if activity.anonymous:
        yield f"{activity.anonymous:,} events are of no known shopper and are left out"
    for experiment, crossed in sorted(activity.crossed.items()):
        if crossed:
            yield (
                f"{len(crossed):,} shoppers were answered by several arms of {experiment} and are in none of "
                "them"
            )
