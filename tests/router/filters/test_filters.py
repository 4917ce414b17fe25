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
from router.query_features.feedback import FEATURE, ItemFeedback
from router.query_features.read import default_features
from router.query_features.registry import QUERY_FEATURES
from router.tables.component import Parts
from state.feedback_codes import (
    NOT_INTERESTED,
    NOT_INTERESTED_IN_BRAND,
    NOT_INTERESTED_IN_CATEGORY,
    OWNED,
    SEEN_TOO_OFTEN,
)
from tests.router.filters.cycle_tables import no_cycles

DAY = 86_400
NOW = 1_700_000_000
ITEMS = st.lists(st.integers(1, 30), unique=True, max_size=30)


def shopper(
    excluded: list[int] | None = None,
    bought: list[tuple[int, int]] | None = None,
    said: ItemFeedback = FEATURE.default,
) -> Query:
    return Query(
        scene="home",
        user_id="u",
        now=NOW,
        excluded=np.array(excluded or [], dtype=np.int32),
        purchased_items=np.array([item for item, _ in bought or []], dtype=np.int32),
        purchased_ts=np.array([ts for _, ts in bought or []], dtype=np.int64),
        features={**default_features(QUERY_FEATURES), "feedback": said},
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
    group = np.zeros(1, np.int32)
    catalogue = SimpleNamespace(
        in_stock=np.ones(1, np.bool_),
        adult=np.zeros(1, np.bool_),
        brand=group,
        category=group,
        starts_at=group,
        expires_at=group,
        price=group.astype(np.float32),
        list_price=group.astype(np.float32),
        price_band=group,
        column=lambda name: group,
        code_count=lambda name: 0,
        names=lambda name, codes: [],
    )
    kind = FILTERS[name]
    assert kind.create(Parts(catalogue, no_cycles(0)), kind.settings()).name == name
    with pytest.raises(ValidationError, match="extra_forbidden"):
        kind.settings(surprise=1)


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf")])
def test_a_window_that_makes_no_sense_is_refused(days: float) -> None:
    with pytest.raises(ValidationError):
        FILTERS["already_bought"].settings(window_days=days)


def said(*rows: tuple[int, int, int]) -> ItemFeedback:
    """Feedback (item, code, age in seconds)."""
    return ItemFeedback(
        np.array([item for item, _, _ in rows], np.int32),
        np.array([code for _, code, _ in rows], np.uint8),
        np.array([NOW - age for _, _, age in rows], np.int64),
    )


SHOP = SimpleNamespace(
    brand=np.array([0, 1, 1, 2, 0, 0], np.int32), category=np.array([0, 1, 2, 2, 3, 0], np.int32)
)


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([], [1, 2, 3, 4, 5]),
        ([(2, NOT_INTERESTED, DAY)], [1, 3, 4, 5]),
        ([(2, NOT_INTERESTED, 366 * DAY)], [1, 2, 3, 4, 5]),
        ([(2, NOT_INTERESTED_IN_BRAND, DAY)], [3, 4, 5]),
        ([(2, NOT_INTERESTED_IN_CATEGORY, DAY)], [1, 4, 5]),
        ([(2, NOT_INTERESTED_IN_CATEGORY, 91 * DAY)], [1, 2, 3, 4, 5]),
        # An unknown brand or category is none that items share.
        ([(5, NOT_INTERESTED_IN_BRAND, 1), (5, NOT_INTERESTED_IN_CATEGORY, 1)], [1, 2, 3, 4, 5]),
        ([(2, SEEN_TOO_OFTEN, 1), (3, OWNED, 1)], [1, 2, 3, 4, 5]),
    ],
)
def test_not_interested_removes_items_brands_and_categories(
    rows: list[tuple[int, int, int]], left: list[int]
) -> None:
    assert kept("not_interested", shopper(said=said(*rows)), [1, 2, 3, 4, 5], SHOP) == left


def test_seen_too_often_rests_for_its_days() -> None:
    rows = said((1, SEEN_TOO_OFTEN, 2 * DAY), (2, SEEN_TOO_OFTEN, 4 * DAY), (3, NOT_INTERESTED, 1))
    assert kept("seen_too_often", shopper(said=rows), [1, 2, 3], days=3.0) == [2, 3]


def test_what_is_owned_counts_as_bought() -> None:
    rows = said((1, OWNED, DAY // 2), (2, OWNED, 2 * DAY))
    assert kept("already_bought", shopper(bought=[(3, NOW)], said=rows), [1, 2, 3], window_days=1.0) == [2]
