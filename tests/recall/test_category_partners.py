"""What goes with a category, beside its definition written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall.baskets import Baskets
from recall.category_partners import category_partners

ITEMS, CATEGORIES = 6, 3


def baskets_of(contents: list[set[int]]) -> Baskets:
    """Baskets of these items, each of another shopper."""
    basket = np.repeat(np.arange(len(contents)), [len(items) for items in contents]).astype(np.int32)
    item = np.array([item for items in contents for item in sorted(items)], np.int32)
    count = np.arange(len(contents))
    return Baskets(basket, item, count.astype(np.int32), count.astype(np.int64))


def by_definition(contents: list[set[int]], category: np.ndarray) -> dict[tuple[int, int], float]:
    """(category, item) → together, of the formula in the module's docstring."""

    def together(i: int, j: int) -> float:
        return sum(1 / np.log2(1 + len(items)) for items in contents if {i, j} <= items)

    def rate(members: list[int], j: int) -> float:
        held = sum(i in items for items in contents for i in members)
        return sum(together(i, j) for i in members if i != j) / held if held else 0.0

    every = [i for i in range(1, ITEMS + 1) if category[i] > 0]
    return {
        (c, j): rate([i for i in every if category[i] == c], j) - rate(every, j)
        for c in range(1, CATEGORIES + 1)
        for j in range(1, ITEMS + 1)
    }


@given(
    contents=st.lists(st.sets(st.integers(1, ITEMS), min_size=1, max_size=ITEMS), min_size=1, max_size=12),
    codes=st.lists(st.integers(0, CATEGORIES), min_size=ITEMS, max_size=ITEMS),
    most=st.integers(1, ITEMS),
    block=st.sampled_from([1, 20, 1000]),
)
def test_partners_are_those_of_the_definition(
    contents: list[set[int]], codes: list[int], most: int, block: int
) -> None:
    category = np.array([0, *codes], np.int32)
    found = category_partners(
        baskets_of(contents), category, CATEGORIES, block, most, lambda row, item, together: together
    )
    expected = by_definition(contents, category)
    kept = {
        (int(row), int(item)): float(rate)
        for row, item, rate in zip(found.row, found.item, found.together, strict=True)
    }
    assert len(kept) == len(found.row)
    assert list(found.row) == sorted(found.row)
    for pair, rate in kept.items():
        assert rate == pytest.approx(expected[pair], abs=1e-5)
    for c in range(1, CATEGORIES + 1):
        rates = sorted((expected[c, j] for j in range(1, ITEMS + 1)), reverse=True)[:most]
        mine = [rate for (row, _), rate in kept.items() if row == c]
        assert len(mine) <= most
        assert sum(mine) == pytest.approx(sum(max(rate, 0) for rate in rates), abs=1e-4)


def test_without_categories_there_are_no_partners() -> None:
    found = category_partners(
        baskets_of([{1, 2}]), np.zeros(ITEMS + 1, np.int32), 0, 10, 5, lambda row, item, together: together
    )
    assert len(found.row) == 0
