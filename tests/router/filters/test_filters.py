"""What each filter removes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.candidates import Candidates, unscored
from recall.query import Query
from router.filters.registry import FILTERS
from router.tables.component import Parts
from tests.router.filters.cycle_tables import no_cycles

DAY = 86_400
NOW = 1_700_000_000
ITEMS = st.lists(st.integers(1, 30), unique=True, max_size=30)


def shopper(excluded: list[int] | None = None, bought: list[tuple[int, int]] | None = None) -> Query:
    return Query(
        scene="home",
        user_id="u",
        now=NOW,
        excluded=np.array(excluded or [], dtype=np.int32),
        purchased_items=np.array([item for item, _ in bought or []], dtype=np.int32),
        purchased_ts=np.array([ts for _, ts in bought or []], dtype=np.int64),
    )


def candidates(items: list[int]) -> Candidates:
    count = len(items)
    return unscored(
        np.array(items, np.int32),
        np.ones(count, np.uint32),
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )


def kept(
    name: str, query: Query, items: list[int], catalogue: object = None, **settings: object
) -> list[int]:
    kind = FILTERS[name]
    mask = kind.create(Parts(catalogue, {}), kind.settings(**settings)).keep(query, candidates(items))
    assert mask.dtype == np.bool_
    assert mask.shape == (len(items),)
    return np.array(items, np.int32)[mask].tolist()


@given(ITEMS, ITEMS)
def test_excluded_removes_just_what_the_caller_named(items: list[int], excluded: list[int]) -> None:
    assert kept("excluded", shopper(excluded=excluded), items) == [i for i in items if i not in excluded]


@given(ITEMS, st.lists(st.booleans(), min_size=31, max_size=31))
def test_out_of_stock_and_adult_follow_the_catalogue(items: list[int], column: list[bool]) -> None:
    catalogue = SimpleNamespace(in_stock=np.array(column), adult=np.array(column))
    assert kept("out_of_stock", shopper(), items, catalogue) == [i for i in items if column[i]]
    assert kept("adult", shopper(), items, catalogue) == [i for i in items if not column[i]]


@given(
    ITEMS, st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60 * DAY)), max_size=40), st.integers(1, 59)
)
def test_already_bought_looks_back_over_its_window(
    items: list[int], ages: list[tuple[int, int]], days: int
) -> None:
    bought = [(item, NOW - age) for item, age in ages]
    lately = {item for item, age in ages if age < days * DAY}
    assert kept("already_bought", shopper(bought=bought), items, window_days=days) == [
        i for i in items if i not in lately
    ]


def test_an_item_bought_just_at_the_edge_of_the_window_comes_back() -> None:
    bought = [(1, NOW - DAY), (2, NOW - DAY + 1)]
    assert kept("already_bought", shopper(bought=bought), [1, 2, 3], window_days=1.0) == [1, 3]


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_a_filter_goes_by_its_registered_name(name: str) -> None:
    catalogue = SimpleNamespace(in_stock=np.ones(1, np.bool_), adult=np.zeros(1, np.bool_))
    kind = FILTERS[name]
    assert kind.create(Parts(catalogue, no_cycles(0)), kind.settings()).name == name
    with pytest.raises(ValidationError, match="extra_forbidden"):
        kind.settings(surprise=1)


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf")])
def test_a_window_that_makes_no_sense_is_refused(days: float) -> None:
    with pytest.raises(ValidationError):
        FILTERS["already_bought"].settings(window_days=days)
