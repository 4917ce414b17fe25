"""How often pictures of each class are drawn: by shares, within bounds, and exactly as often as that says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.category_training import LabelledPictures
from models.class_draws import drawn, draws_by_share


def test_classes_are_drawn_by_their_shares_where_no_bound_is_met() -> None:
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    draws = draws_by_share(classes, np.array([1.0, 1.0, 2.0]), 0.01, 100)
    by_class = np.bincount(classes, draws)
    np.testing.assert_allclose(by_class, [25, 25, 50], rtol=1e-6)
    assert len(np.unique(draws[classes == 1])) == 1


def test_what_is_not_sold_is_drawn_least_and_what_is_rare_most() -> None:
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    draws = draws_by_share(classes, np.array([0.0, 1.0, 9.0]), 0.2, 4)
    assert draws[0] == pytest.approx(0.2)
    assert draws[-1] == 4
    assert draws[60] == pytest.approx((100 - 60 * 0.2 - 10 * 4) / 30)


def test_where_bounds_leave_draws_over_unwanted_classes_take_them() -> None:
    classes = np.repeat([0, 1], [90, 10])
    draws = draws_by_share(classes, np.array([0.0, 1.0]), 0.1, 3)
    assert draws[-1] == 3
    assert draws[0] == pytest.approx(70 / 90)
    # A class without pictures takes nothing.
    np.testing.assert_allclose(draws_by_share(classes, np.array([1.0, 0.0, 5.0]), 1, 1), 1)


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any),
    seed=st.integers(0, 10_000),
    least=st.floats(0.01, 1),
    most=st.floats(1, 20),
)
def test_draws_add_up_and_keep_to_the_bounds(counts: list[int], seed: int, least: float, most: float) -> None:
    random = np.random.default_rng(seed)
    shares = random.pareto(0.5, len(counts)) + 1e-6
    classes = np.repeat(np.arange(len(counts)), counts)
    draws = draws_by_share(classes, shares, least, most)
    assert draws.sum() == pytest.approx(len(classes), rel=1e-6)
    assert draws.min() >= least - 1e-9
    assert draws.max() <= most + 1e-9
    rows = random.permutation(10 * len(classes))[: len(classes)]
    taken = drawn(rows, draws, random)
    assert len(taken) == len(rows)
    times = np.array([(taken == row).sum() for row in rows])
    assert (np.abs(times - draws) < 1 + 1e-6).all()


def test_a_pass_sees_each_picture_once_unless_draws_say_otherwise() -> None:
    pictures, rows = np.zeros((6, 2, 2, 3), np.uint8), np.array([5, 1, 3])
    once = LabelledPictures(pictures, (np.zeros(6, np.int64),), rows)
    assert sorted(once.order(np.random.default_rng(1)).tolist()) == [1, 3, 5]
    seen = LabelledPictures(pictures, once.classes, rows, np.array([2.0, 0.5, 0.5]))
    random = np.random.default_rng(2)
    orders = [seen.order(random).tolist() for _ in range(200)]
    assert all(order.count(5) == 2 and len(order) == 3 for order in orders)
    assert 70 < sum(1 in order for order in orders) < 130
    # In an order of chance.
    assert {order.index(5) for order in orders} == {0, 1}
