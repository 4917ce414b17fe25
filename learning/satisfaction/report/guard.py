"""Satisfaction as a guard: whether an experiment's arm leaves shoppers less satisfied than it may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from foundation.statistics.proportions import difference_interval
from learning.satisfaction.dimensions import SATISFIED
from learning.satisfaction.report.ratings import OVERALL, Rated
from learning.satisfaction.settings import GuardSettings

GuardVerdict = Literal["refused", "unclear", "kept"]


class GuardedArm(msgspec.Struct, frozen=True):
    """An arm beside its control, one latest rating of each shopper.

    `low` and `high` are the 95 % interval of the difference of their shares of satisfied shoppers (Newcombe).
    """

    arm: str
    satisfied: int
    ratings: int
    control_satisfied: int
    control_ratings: int
    low: float
    high: float
    verdict: GuardVerdict


def guard_arms(
    rated: Iterable[Rated], experiment: str, control: str, settings: GuardSettings
) -> list[GuardedArm]:
    """Each arm that enough shoppers rated, by its name; none where too few rated the control.

    refused  the whole interval is below what the arm may lose
    unclear  some of it is
    kept     none of it is

    Shoppers who rated answers of several arms are left out.
    """
    latest: dict[str, tuple[int, str, float]] = {}
    crossed: set[str] = set()
    for each in rated:
        arm = each.arms.get(experiment)
        if arm is None or OVERALL not in each.values:
            continue
        earlier = latest.get(each.user_id)
        if earlier is not None and earlier[1] != arm:
            crossed.add(each.user_id)
        if earlier is None or earlier[0] <= each.at_ms:
            latest[each.user_id] = (each.at_ms, arm, each.values[OVERALL])
    counts: dict[str, list[int]] = {}
    for user, (_, arm, value) in latest.items():
        if user not in crossed:
            count = counts.setdefault(arm, [0, 0])
            count[0] += value >= SATISFIED
            count[1] += 1
    base = counts.get(control, [0, 0])
    if base[1] < settings.least_ratings:
        return []
    return [
        _guarded(arm, count, base, settings)
        for arm, count in sorted(counts.items())
        if arm != control and count[1] >= settings.least_ratings
    ]


def arm_line(arm: GuardedArm, settings: GuardSettings) -> str:
    """An arm's satisfaction in a sentence."""
    return (
        f"{arm.satisfied / arm.ratings:.0%} of {arm.ratings:,} shoppers are satisfied, in the control "
        f"{arm.control_satisfied / arm.control_ratings:.0%} of {arm.control_ratings:,}; the difference is "
        f"{100 * arm.low:+.1f} to {100 * arm.high:+.1f} percentage points (95 %), and "
        f"-{100 * settings.most_drop:g} is allowed"
    )


def _guarded(arm: str, count: list[int], base: list[int], settings: GuardSettings) -> GuardedArm:
    low, high = difference_interval(count[0], count[1], base[0], base[1])
    verdict: GuardVerdict = "kept"
    if low < -settings.most_drop:
        verdict = "refused" if high < -settings.most_drop else "unclear"
    return GuardedArm(arm, count[0], count[1], base[0], base[1], low, high, verdict)
