"""Visits, the templates that they saw, and what was seen in vain: against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.visits import fruitless, shown_before, visit_numbers, visit_start

IDLE = 30
TIMES = st.lists(st.integers(0, 400), max_size=25).map(lambda ts: sorted(ts, reverse=True))
SEEN = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 6)), max_size=25).map(
    lambda rows: sorted(rows, reverse=True)
)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([item for _, item in rows], np.int32), np.array([ts for ts, _ in rows], np.int64)


@given(TIMES, st.integers(0, 450))
def test_a_visit_begins_after_the_last_pause(ts: list[int], now: int) -> None:
    start = now
    for time in ts:
        if start - min(time, now) > IDLE:
            break
        start = min(time, now)
    assert visit_start(np.array(ts, np.int64), now, IDLE) == start


@given(TIMES)
def test_visits_are_counted_from_the_newest(ts: list[int]) -> None:
    expected, number = [], 0
    for place, time in enumerate(ts):
        number += place > 0 and ts[place - 1] - time > IDLE
        expected.append(number)
    assert visit_numbers(np.array(ts, np.int64), IDLE).tolist() == expected


@given(SEEN, st.integers(0, 400), st.integers(0, 400), st.integers(1, 4))
def test_earlier_visits_since_the_last_behaviour_count_until_the_templates_begin_again(
    rows: list[tuple[int, int]], start: int, since: int, templates: int
) -> None:
    items, ts = columns(rows)
    visits: list[set[int]] = []
    last = None
    for time, item in reversed(rows):
        if since < time < start:
            if last is None or time - last > IDLE:
                visits.append(set())
            visits[-1].add(item)
            last = time
    # Oldest first: each full round of templates is forgotten.
    counted = visits[len(visits) - len(visits) % templates :] if visits else []
    expected = sorted(set().union(*counted))
    assert shown_before(items, ts, start, since, IDLE, templates).tolist() == expected


@given(SEEN, SEEN)
def test_visits_in_vain_are_those_after_the_last_act_on_the_item(
    rows: list[tuple[int, int]], acts: list[tuple[int, int]]
) -> None:
    items, ts = columns(rows)
    numbers = visit_numbers(ts, IDLE).tolist()
    expected: dict[int, set[int]] = {}
    for (time, item), visit in zip(rows, numbers, strict=True):
        if time > max((at for at, acted in acts if acted == item), default=-1):
            expected.setdefault(item, set()).add(visit)
    found, counts = fruitless(items, ts, *columns(acts), IDLE)
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == {
        item: len(visits) for item, visits in expected.items()
    }
