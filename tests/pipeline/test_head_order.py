"""What prices keep out of a page's head, and the order that follows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.head_order import behind_head, head_of, priced_out

PAGES = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.one_of(st.floats(-9, 9), st.just(np.nan)), min_size=n, max_size=n),
        st.lists(st.sampled_from([0.0, 0.0, 0.5, 3.0]), min_size=n, max_size=n),
    )
)


def test_an_item_gives_way_where_its_value_less_its_price_is_not_among_the_best() -> None:
    value, price = np.array([3.0, 2.0, 1.0, 0.5]), np.array([1.5, 0.0, 0.0, 0.0])
    assert priced_out(value, price, 1).tolist() == [True, False, False, False]
    # 3 − 1.5 is better than 1, the second best of the others.
    assert not priced_out(value, price, 2).any()
    assert behind_head(np.array([True, False, False, False]), 2).tolist() == [1, 2, 0, 3]


@given(PAGES, st.integers(1, 6))
def test_the_head_is_full_and_what_has_no_price_keeps_its_order(
    page: tuple[list[float], list[float]], head: int
) -> None:
    value, price = np.array(page[0]), np.array(page[1])
    out = priced_out(value, price, head)
    order = behind_head(out, head)
    assert sorted(order.tolist()) == list(range(value.size))
    assert not out[price == 0].any()
    assert np.count_nonzero(~out) >= min(head, value.size)
    assert not out[order[: min(head, value.size)]].any()
    free = [place for place in order.tolist() if price[place] == 0]
    assert free == sorted(free)
    if not price.any():
        assert order.tolist() == list(range(value.size))


def test_several_pages_at_once_are_as_one_by_one() -> None:
    random = np.random.default_rng(1)
    value, price = random.normal(size=(5, 12)), random.choice([0.0, 1.0], (5, 12))
    out = priced_out(value, price, 3)
    assert out.any()
    for row in range(5):
        assert (out[row] == priced_out(value[row], price[row], 3)).all()
        assert (head_of(out, 3)[row] == head_of(out[row], 3)).all()
