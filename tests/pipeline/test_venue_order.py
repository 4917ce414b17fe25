"""Groups one after another: by what is expected of them, and never a slot lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.venue_order import expected_by_group, take_turns, venue_order, worth

CASES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), max_size=40).map(
    lambda rows: (np.array([value for value, _ in rows]), np.array([group for _, group in rows], np.int32))
)


def order_of(
    value: np.ndarray, groups: np.ndarray, slots: int, per_group: int, counted: int | None = None
) -> np.ndarray:
    return venue_order(groups, *expected_by_group(value, groups, counted), slots, per_group)


def test_the_group_that_is_expected_to_be_taken_from_most_comes_first() -> None:
    value = np.array([0.9, 0.5, 0.5, 0.4, 0.3, 0.2])
    groups = np.array([1, 2, 2, 1, 3, 0], np.int32)
    # Of group 1 .9 + .4 is expected, of group 2 1.0, of group 3 .3: it has too few for two slots.
    assert order_of(value, groups, 4, 2).tolist() == [0, 3, 1, 2, 4, 5]
    assert order_of(value, groups, 2, 1).tolist() == [0, 1, 2, 3, 4, 5]
    # By its best alone group 2 is worth .5.
    assert order_of(value, groups, 3, 1, counted=1).tolist()[:3] == [0, 1, 4]
    assert order_of(value, groups, 3, 1)[:3].tolist() == [0, 1, 4]


def test_what_the_groups_leave_is_filled_next_to_its_group() -> None:
    value = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    groups = np.array([1, 0, 1, 2, 1], np.int32)
    # Two slots a group: 1 fills two, 2 one; then the third of 1 comes, beside its own.
    assert order_of(value, groups, 4, 2).tolist() == [0, 2, 4, 3, 1]
    assert order_of(value, groups, 5, 2).tolist() == [0, 2, 4, 3, 1]


@given(CASES, st.integers(0, 12), st.integers(1, 4), st.sampled_from([None, 1, 3]))
def test_against_a_plain_loop(
    case: tuple[np.ndarray, np.ndarray], slots: int, per_group: int, counted: int | None
) -> None:
    value, groups = case
    order = order_of(value, groups, slots, per_group, counted)
    assert sorted(order.tolist()) == list(range(groups.size))
    members: dict[int, list[int]] = {}
    for place, group in enumerate(groups.tolist()):
        if group:
            members.setdefault(group, []).append(place)
    sums = {
        group: sum(sorted((value[place] for place in places), reverse=True)[:counted])
        for group, places in members.items()
    }
    found, expected = expected_by_group(value, groups, counted)
    assert found.tolist() == sorted(members)
    assert expected.tolist() == pytest.approx([sums[group] for group in sorted(members)])
    page = order[:slots].tolist()
    shown = [groups[place] for place in page]
    # Each group is in one run, its candidates in their order, and those of no group last.
    runs = [group for place, group in enumerate(shown) if not place or shown[place - 1] != group]
    assert len(runs) == len(set(runs))
    assert 0 not in runs[:-1]
    full = [group for group in runs if group and len(members[group]) >= per_group]
    for better, worse in pairwise(full):
        assert sums[better] >= sums[worse] - 1e-9
    for group in runs:
        places = [place for place in page if groups[place] == group]
        assert places == sorted(places)
    full_groups = sum(len(places) >= per_group for places in members.values())
    if slots <= per_group * full_groups:
        assert all(shown.count(group) == per_group for group in runs[: slots // per_group])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_turns_against_a_plain_loop(rows: list[tuple[int, int]]) -> None:
    columns = np.array(rows, np.int32).reshape(-1, 2).T
    times: dict[tuple[int, int], int] = {}
    nth = []
    for row in rows:
        nth.append(times.get(row, 0) if all(row) else 0)
        times[row] = times.get(row, 0) + 1
    expected = sorted(range(len(rows)), key=lambda place: nth[place])
    assert take_turns(columns[0], columns[1]).tolist() == expected


def test_worth_without_probabilities_falls_by_rank() -> None:
    assert worth(np.array([0.5, np.nan], np.float32)).tolist() == [0.5, 0]
    for scores in ([3.0, 2.0], [-1.0, 0.5], [np.nan, np.nan]):
        assert worth(np.array(scores, np.float32)).tolist() == pytest.approx([1, 1 / np.log2(3)])
