"""Apart: neighbours differ where the page can help it, and nothing else moves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.candidates import unscored
from router.rerank.apart import ApartSettings
from router.rerank.registry import RERANKERS
from router.tables.component import Parts

CATEGORIES = st.lists(st.integers(0, 4), min_size=1, max_size=25)


def ordered(
    categories: list[int], size: int, brands: list[int] | None = None, **settings: object
) -> list[int]:
    """The order of candidates with these codes, 0 = in no group."""
    columns = {
        "category": np.array([0, *categories], np.int32),
        "brand": np.array([0, *(brands or [0] * len(categories))], np.int32),
    }
    kind = RERANKERS["apart"]
    stage = kind.create(Parts(SimpleNamespace(column=columns.__getitem__), {}), ApartSettings(**settings))
    assert stage.name == "apart"
    items = np.arange(1, len(categories) + 1, dtype=np.int32)
    floats = np.ones(len(items), np.float32)
    found = stage.order(None, unscored(items, np.ones(len(items), np.uint32), floats, items * 0), size)
    return [int(place) for place in found]


def test_of_three_milks_in_a_row_the_next_of_another_kind_comes_between() -> None:
    assert ordered([1, 2, 2, 2, 3, 4], 6) == [0, 1, 4, 2, 5, 3]


def test_a_page_without_such_neighbours_stays() -> None:
    assert ordered([1, 2, 1, 3, 1], 5) == [0, 1, 2, 3, 4]


def test_items_of_no_category_may_stand_together() -> None:
    assert ordered([0, 0, 0, 1], 4) == [0, 1, 2, 3]


def test_the_last_dimension_is_given_up_first() -> None:
    both = {"by": ["category", "brand"]}
    assert ordered([1, 1, 2], 2, brands=[7, 8, 7], **both)[:2] == [0, 2]
    assert ordered([1, 1, 2], 2, brands=[7, 8, 7], by=["brand", "category"])[:2] == [0, 1]


def test_a_page_may_have_few_of_one_category() -> None:
    categories = [1, 2, 1, 3, 1, 4, 1, 5, 6]
    assert ordered(categories, 9) == list(range(9))
    assert ordered(categories, 6, most=2, window=6) == [0, 1, 2, 3, 5, 7, 4, 6, 8]
    assert ordered(categories, 6, most=1, window=6)[:6] == [0, 1, 3, 5, 7, 8]
    # The first dimension alone.
    brands = [7, 8] * 4 + [7]
    both = {"by": ["category", "brand"], "most": 2, "window": 6}
    assert ordered(categories, 6, brands=brands, **both)[:5] == [0, 1, 2, 3, 8]


def test_too_many_of_one_category_are_given_up_before_neighbours() -> None:
    assert ordered([1, 1, 2, 1], 4, most=1, window=4) == [0, 2, 1, 3]


@given(CATEGORIES, st.integers(1, 30))
def test_no_slot_is_lost_and_neighbours_are_alike_only_where_nothing_else_is_left(
    categories: list[int], size: int
) -> None:
    order = ordered(categories, size)
    assert sorted(order) == list(range(len(categories)))
    for slot in range(1, min(size, len(order))):
        before, here = categories[order[slot - 1]], categories[order[slot]]
        if before and before == here:
            assert {categories[place] for place in order[slot:]} == {before}


@pytest.mark.parametrize(
    "wrong",
    [{"by": []}, {"by": ["colour"]}, {"by": "category"}, {"windows": 3}, {"most": 0}, {"most": 10}],
)
def test_settings_that_say_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApartSettings(**wrong)
