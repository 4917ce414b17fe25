"""Orders whose items have an earliest or a latest position."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.fusion.bounded_order import not_after, not_before

BOUNDS = st.lists(st.integers(0, 40), max_size=30).map(lambda drawn: np.array(drawn, dtype=np.int64))


@st.composite
def possible_latest(draw: st.DrawFn) -> np.ndarray:
    """Latest positions that some order keeps: at least those of a permutation."""
    size = draw(st.integers(0, 30))
    kept = np.array(draw(st.permutations(range(size))), dtype=np.int64)
    return kept + np.array(draw(st.lists(st.integers(0, 30), min_size=size, max_size=size)), dtype=np.int64)


@given(BOUNDS)
def test_nothing_comes_before_its_earliest_position_while_others_are_left(earliest: np.ndarray) -> None:
    order = not_before(earliest)
    assert sorted(order.tolist()) == list(range(earliest.size))
    for position, item in enumerate(order.tolist()):
        # Whatever may come at this position, and comes later, came later only because of a better claim.
        if earliest[item] > position:
            assert (earliest[order[position:]] > position).all()


@given(possible_latest())
def test_nothing_comes_after_its_latest_position(latest: np.ndarray) -> None:
    order = not_after(latest)
    assert sorted(order.tolist()) == list(range(latest.size))
    assert (np.arange(latest.size) <= latest[order]).all()


@given(st.integers(0, 20))
def test_bounds_that_are_kept_already_change_nothing(size: int) -> None:
    positions = np.arange(size)
    assert not_before(positions).tolist() == positions.tolist()
    assert not_after(positions).tolist() == positions.tolist()


def test_the_others_keep_their_order_and_close_the_gaps() -> None:
    assert not_before(np.array([0, 3, 0, 0, 0])).tolist() == [0, 2, 3, 1, 4]
    # Items that move up come too early themselves.
    assert not_before(np.array([4, 0, 2, 0, 0])).tolist() == [1, 3, 2, 4, 0]
    assert not_after(np.array([4, 4, 4, 1, 4])).tolist() == [0, 3, 1, 2, 4]
