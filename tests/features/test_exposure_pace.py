"""What a plan wants of the next page follows from its window, the time and the exposures so far alone."""

from __future__ import annotations

from features.exposure_pace import due_exposures, pace_of
from features.scene_rules import ExposurePlan


def plan(guarantee: int = 0, cap: int | None = None, even: bool = True) -> ExposurePlan:
    return ExposurePlan("p", 1, None, 1, guarantee, cap, 10, 1_000, 2_000, even)


def test_what_is_owed_grows_with_time_and_all_of_it_is_due_before_the_end() -> None:
    for now, owed in ((1_000, 0), (1_475, 500), (1_950, 1_000), (1_999, 1_000)):
        assert pace_of(plan(1_000), now, 0).owed == owed == due_exposures(1_000, 1_000, 2_000, True, now)
    assert pace_of(plan(1_000), 1_475, 700).owed == 0
    assert due_exposures(1_000, 1_000, 2_000, False, 1_001) == 1_000
    assert due_exposures(1_000, 1_000, 2_000, False, 999) == 0


def test_urgency_grows_with_the_lag_and_is_full_when_time_is_up() -> None:
    assert pace_of(plan(1_000), 1_475, 495).urgency == 0.25
    assert pace_of(plan(1_000), 1_475, 400).urgency == 5.0
    assert pace_of(plan(1_000), 1_950, 999).urgency == 1.0
    assert pace_of(plan(1_000, even=False), 1_001, 999).urgency == 1.0


def test_a_cap_is_spread_too_and_never_below_what_is_owed() -> None:
    assert pace_of(plan(), 1_100, 0).ahead_of is None
    assert pace_of(plan(cap=1_000), 1_000, 0).ahead_of == 1
    assert pace_of(plan(cap=1_000), 1_475, 501).ahead_of == 0
    assert pace_of(plan(cap=1_000, even=False), 1_001, 400).ahead_of == 601
    for now in range(1_000, 2_000, 7):
        pace = pace_of(plan(300, 300), now, 100)
        assert pace.ahead_of is not None
        assert pace.ahead_of >= pace.owed
