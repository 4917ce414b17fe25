"""What is told of a fault follows from the calls around it and from the event log."""

from __future__ import annotations

from typing import Any

from benchmarks.fault_report import NOT_DONE, Window, degraded_share, outcome
from benchmarks.steady_load import Sent

BEGIN = 100.0
WINDOW = Window("a fault", "haproxy", "lmdb", BEGIN, BEGIN + 10.0, calm=True)


def page(due: float, **changes: Any) -> Sent:
    """A recommendation that took 10 ms, due `due` seconds after the fault."""
    fields = {"first": "OK", "status": "OK", "items": 20, "ended": BEGIN + due + 0.01} | changes
    return Sent("recommend", BEGIN + due, **fields)


def report(due: float, *ids: str, **changes: Any) -> Sent:
    """A call with events, due `due` seconds after the fault."""
    fields = {"first": "OK", "status": "OK", "ended": BEGIN + due + 0.01, "events": ids} | changes
    return Sent("events", BEGIN + due, **fields)


def judged(*sent: Sent, logged: dict[str, int] | None = None, window: Window = WINDOW) -> Any:
    return outcome(window, sent, logged or {}, page_size=20, usual_share=0.0)


def test_without_effect_there_are_no_times() -> None:
    found = judged(page(1.0), report(2.0, "a"), logged={"a": 1})
    assert (found.first_effect_s, found.answers_s, found.full_quality_s) == (None, None, None)
    assert (found.calls, found.acknowledged, found.lost, found.doubled, found.short) == (2, 1, 0, 0, 0)
    assert found.misses == []


def test_a_call_saved_by_its_retry_is_no_failure_but_takes_time() -> None:
    found = judged(page(0.5, first="UNAVAILABLE", ended=BEGIN + 3.0), page(4.0))
    assert found.failed_before_retry == {"UNAVAILABLE": 1}
    assert found.failed == {}
    assert (found.first_effect_s, found.answers_s, found.slowest_s) == (0.5, 3.0, 2.5)
    assert found.misses == []


def test_failed_calls_lost_and_doubled_events_miss_goals() -> None:
    lost = {"first": "UNAVAILABLE", "status": "UNAVAILABLE"}
    found = judged(
        page(0.1, detail="3 of 20 gone", **lost),
        report(0.2, "x", with_ids=False, detail="17 of 4 gone", **lost),
        report(0.3, "a", "b"),
        report(0.4, "c", with_ids=False),
        page(0.5, items=3),
        logged={"a": 2, "c": 2},
    )
    assert found.failed == {"UNAVAILABLE": 1}
    assert found.failed_unretried == {"UNAVAILABLE": 1}
    assert found.said == {"UNAVAILABLE: 0 of 0 gone": 2}
    assert (found.lost, found.doubled, found.doubled_without_id, found.short) == (1, 1, 1, 1)
    assert len(found.misses) == 4


def test_where_nobody_is_left_failed_calls_miss_no_goal() -> None:
    window = Window("all", "haproxy", "lmdb", BEGIN, BEGIN + 10, calm=True, spares_somebody=False)
    assert judged(page(0.1, first="UNAVAILABLE", status="UNAVAILABLE"), window=window).misses == []
    never = Window("all", "haproxy", "lmdb", BEGIN, BEGIN + 10, calm=False)
    assert judged(page(0.1), window=never).misses == ["not whole again: 1"]
    undone = Window(
        "swap", "haproxy", "lmdb", BEGIN, BEGIN + 10, calm=True, seen={NOT_DONE: "it did not come"}
    )
    assert judged(page(0.1), window=undone).misses == ["not done: it did not come"]


def test_quality_is_back_after_the_last_half_second_with_many_degraded_answers() -> None:
    lacking = {"degraded": ("ranking",)}
    found = judged(
        *(page(1.0 + step / 10, **lacking) for step in range(20)),
        *(page(3.0 + step / 10) for step in range(20)),
        page(4.05, **lacking),
    )
    assert found.first_effect_s == 1.0
    assert abs(found.full_quality_s - 2.91) < 1e-6
    assert found.answers_s is None
    assert found.degraded == {"ranking": 21}


def test_calls_belong_to_the_fault_they_were_under_way_at() -> None:
    found = judged(page(-0.2, first="UNAVAILABLE", status="OK"), page(-0.5), page(9.6), page(9.9))
    assert found.calls == 2
    assert found.first_effect_s == 0.0


def test_share_of_degraded_answers_counts_recommendations_that_were_answered() -> None:
    calls = [page(0.0), page(0.1, degraded=("ranking",)), page(0.2, status="INTERNAL"), report(0.3, "a")]
    assert degraded_share(calls) == 0.5
    assert degraded_share([]) == 0.0
