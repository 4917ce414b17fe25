"""What an exposure plan wants of the next page: a function of its window, the time and past exposures."""

from __future__ import annotations

from typing import NamedTuple

from features.scene_rules import ExposurePlan

FINISHED_AT = 0.95
"""Part of the window at which a guarantee is to be reached, so that the last requests are not needed."""

_URGENT_LAG = 0.02


class Pace(NamedTuple):
    """What a plan wants.

    owed      exposures by which it lags behind
    ahead_of  exposures that it may still have by now without being ahead of its pace; None = any number
    urgency   by which plans are served; below 1 it is the part of a page's allowed loss that may be spent on
              what is owed. 1 at a lag of a fiftieth of the guarantee, and at least 1 when time is up: as long
              as there is time, pages that lose little are waited for
    """

    owed: int
    ahead_of: int | None
    urgency: float


def pace_of(plan: ExposurePlan, now: int, shown: int) -> Pace:
    """The pace at unix second `now`, after `shown` exposures: the same for the same of all three.

    By a part p of the window, min(1, p / .95) of the guarantee is due and as much of the cap may be used, in
    whole exposures; all of both from the start where the plan is not even.
    """
    part = part_due(plan.starts_at, plan.ends_at, plan.even, now)
    owed = max(int(part * plan.guarantee) - shown, 0)
    urgency = owed / max(_URGENT_LAG * plan.guarantee, 1.0)
    if part == 1.0:
        urgency = max(urgency, 1.0)
    if plan.cap is None:
        return Pace(owed, None, urgency)
    return Pace(owed, max(int(part * plan.cap) + 1 - shown, 0), urgency)


def part_due(starts_at: int, ends_at: int, even: bool, now: int) -> float:
    """Part of a guarantee, 0 to 1, that is due at unix second `now`."""
    if not even:
        return 1.0
    return min(max((now - starts_at) / (FINISHED_AT * max(ends_at - starts_at, 1)), 0.0), 1.0)


def due_exposures(guarantee: int, starts_at: int, ends_at: int, even: bool, now: int) -> int:
    """Exposures of a guarantee that are due at unix second `now`; none before the plan starts."""
    return int(part_due(starts_at, ends_at, even, now) * guarantee) if now >= starts_at else 0
