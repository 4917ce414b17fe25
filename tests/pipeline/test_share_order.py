"""Every head has its share: as many as there are, nothing lost, orders kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.share_order import with_share

SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.29, 1 / 3, 0.5, 0.7, 1.0])
NO_GROUPS: tuple[np.ndarray, ...] = ()


@st.composite
def marked(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Counted, eligible and groups of up to 30 candidates."""
    count = draw(st.integers(0, 30))
    counted = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    good = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    groups = [
        np.array(draw(st.lists(st.integers(0, 4), min_size=count, max_size=count)), np.int32)
        for _ in range(2)
    ]
    return counted, counted & good, groups


@given(marked(), SHARES, st.integers(0, 30), st.integers(0, 4))
def test_no_candidate_is_lost_or_repeated(case: tuple, share: float, slots: int, apart: int) -> None:
    counted, eligible, groups = case
    order = with_share(counted, eligible, groups, min(slots, counted.size), share, apart)
    assert sorted(order.tolist()) == list(range(counted.size))


@given(marked(), SHARES, st.integers(0, 4))
def test_every_head_has_its_share_as_long_as_an_eligible_one_is_left(
    case: tuple, share: float, apart: int
) -> None:
    counted, eligible, groups = case
    order = with_share(counted, eligible, groups, counted.size, share, apart)
    for slots in range(1, counted.size + 1):
        head = order[:slots]
        wanted = int(share * slots + 1e-9)
        used_up = not eligible[order[slots:]].any()
        assert counted[head].sum() >= wanted or used_up


@given(marked(), SHARES)
def test_both_kinds_keep_their_order(case: tuple, share: float) -> None:
    counted, _, _ = case
    order = with_share(counted, counted, NO_GROUPS, counted.size, share, 0)
    for kind in (order[counted[order]], order[~counted[order]]):
        assert kind.tolist() == sorted(kind.tolist())


@given(marked(), SHARES, st.integers(0, 4))
def test_what_is_not_moved_up_keeps_its_order(case: tuple, share: float, apart: int) -> None:
    counted, eligible, groups = case
    order = with_share(counted, eligible, groups, counted.size, share, apart)
    rest = order[~eligible[order]].tolist()
    assert rest == sorted(rest)


@given(marked(), SHARES, st.integers(0, 4))
def test_a_smaller_page_is_the_head_of_a_larger_one(case: tuple, share: float, apart: int) -> None:
    counted, eligible, groups = case
    whole = with_share(counted, eligible, groups, counted.size, share, apart).tolist()
    for slots in range(counted.size):
        assert with_share(counted, eligible, groups, slots, share, apart).tolist()[:slots] == whole[:slots]


@given(marked(), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_a_page_that_has_its_share_is_left_as_it_is(case: tuple, share: float) -> None:
    counted, _, groups = case
    enough = with_share(counted, counted, groups, counted.size, share, 3)
    again = with_share(
        counted[enough], counted[enough], [group[enough] for group in groups], counted.size, share, 3
    )
    assert again.tolist() == list(range(counted.size))


def test_the_slots_are_spread_over_the_page() -> None:
    counted = np.arange(20) >= 15
    order = with_share(counted, counted, NO_GROUPS, 12, 0.25, 0)
    assert order[:12].tolist() == [0, 1, 2, 15, 3, 4, 5, 16, 6, 7, 8, 17]


def test_a_share_is_rounded_down_without_an_error_of_floating_point() -> None:
    counted = np.arange(200) >= 100
    assert counted[with_share(counted, counted, NO_GROUPS, 100, 0.29, 0)[:100]].sum() == 29


def test_what_is_on_the_page_anyway_counts() -> None:
    counted = np.array([False, True, False, False, True])
    assert with_share(counted, counted, NO_GROUPS, 4, 0.5, 0).tolist() == [0, 1, 2, 4, 3]
    assert with_share(counted, counted, NO_GROUPS, 4, 0.25, 0).tolist() == [0, 1, 2, 3, 4]


def test_the_moved_item_shares_no_group_with_its_neighbours_where_one_can() -> None:
    counted = np.arange(9) >= 5
    category = np.array([1, 2, 3, 4, 9, 1, 3, 4, 5], np.int32)
    # Slot 2 is between categories 1 and 2, or 1, and 2 and 3, and 4 with three slots on either side.
    assert [with_share(counted, counted, [category], 2, 0.5, apart)[1] for apart in range(4)] == [5, 6, 7, 8]
    # One that comes soon anyway is not its own neighbour.
    soon = np.array([1, 2, 3, 4], np.int32)
    assert with_share(soon == 3, soon == 3, [soon], 2, 0.5, 3).tolist() == [0, 2, 1, 3]
    # Where each shares one, the best is taken; no group is like no other.
    same, none = np.ones(9, np.int32), np.zeros(9, np.int32)
    assert with_share(counted, counted, [same], 2, 0.5, 3)[1] == 5
    assert with_share(counted, counted, [none], 2, 0.5, 3)[1] == 5
