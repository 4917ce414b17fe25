"""Where the rules of the proposal change their answer, and that each says what it follows from."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from features.shop_fit.proposal import FOR_EVER_DAYS, propose
from snapshot.shop_facts import ShopFacts
from tests.features.shop_fit.shops import FASHION, FILMS, GROCER


def having(**fields: Any) -> ShopFacts:
    return msgspec.structs.replace(GROCER, **fields)


@pytest.mark.parametrize(
    ("repeats", "part"), [(0, 0.0), (9, 0.0), (10, 0.25), (49, 0.25), (50, 0.75), (900, 0.75)]
)
def test_again_has_more_weight_the_more_is_taken_again(repeats: int, part: float) -> None:
    assert propose(having(takes=1_000, repeat_takes=repeats)).again.value == part


@pytest.mark.parametrize(
    ("repeats", "gap", "days"),
    [
        (0, None, FOR_EVER_DAYS),
        (19, 5.0, FOR_EVER_DAYS),
        (20, 5.0, 365.0),
        (99, 5.0, 365.0),
        (100, 100.0, 4.0),
        (100, 61.0, 2.4),
        (100, 3.0, 1.0),
    ],
)
def test_the_window_follows_from_how_often_and_how_soon_purchases_repeat(
    repeats: int, gap: float | None, days: float
) -> None:
    facts = having(purchases=1_000, repeat_purchases=repeats, repeat_gap_days=gap)
    assert propose(facts).window_days.value == days


@pytest.mark.parametrize(("days", "window"), [(9.0, 1.0), (29.9, 1.0), (30.0, 365.0)])
def test_a_few_repeats_in_a_short_log_are_many(days: float, window: float) -> None:
    facts = having(days=days, purchases=1_000, repeat_purchases=42, repeat_gap_days=3.0)
    proposed = propose(facts).window_days
    assert proposed.value == window
    assert ("in only" in proposed.reason) is (window == 1.0)


def test_a_short_log_without_repeats_shows_nothing_owned() -> None:
    facts = having(days=9.0, purchases=1_000, repeat_purchases=19, repeat_gap_days=3.0)
    assert propose(facts).window_days.value == FOR_EVER_DAYS


@pytest.mark.parametrize(("shared", "on"), [(0, True), (50, True), (51, False), (100, False)])
def test_titles_that_most_items_share_tell_no_duplicates(shared: int, on: bool) -> None:
    assert propose(having(titled=100, shared_titles=shared)).dedup.value is on


@pytest.mark.parametrize(("variants", "on"), [(0, False), (44, False), (45, True), (90, True)])
def test_most_items_share_titles_where_sizes_are_items(variants: int, on: bool) -> None:
    dedup = propose(having(titled=100, shared_titles=90, variant_titles=variants)).dedup
    assert dedup.value is on
    assert ("sizes of one product" in dedup.reason) is on


def test_without_titles_there_is_nothing_to_compare() -> None:
    assert propose(having(titled=0, shared_titles=0)).dedup.value is False


def test_a_few_takes_prove_nothing() -> None:
    few = propose(having(takes=99, repeat_takes=99, purchases=99, repeat_purchases=99))
    assert (few.again.value, few.window_days.value) == (0.25, 30.0)
    for proposed in (few.again, few.window_days):
        assert "too few to judge by" in proposed.reason


@pytest.mark.parametrize(
    ("groups", "rules"),
    [
        ({}, []),
        ({"shop": 1.0}, []),
        ({"category": 0.09, "brand": 0.1}, ["brand"]),
        ({"standard_category": 1.0, "brand": 1.0}, ["standard_category", "brand"]),
        ({"category": 0.9, "standard_category": 1.0, "brand": 1.0}, ["category", "brand"]),
    ],
)
def test_pages_are_spread_over_columns_that_exist(groups: dict[str, float], rules: list[str]) -> None:
    assert list(propose(having(groups=groups)).scatter.value) == rules


def test_three_kinds_of_shop() -> None:
    chosen = [
        (each.again.value, each.window_days.value, each.dedup.value)
        for each in map(propose, (GROCER, FILMS, FASHION))
    ]
    assert chosen == [(0.75, 1.0, False), (0.0, FOR_EVER_DAYS, True), (0.75, 365.0, True)]
    assert propose(FILMS).window_days.reason.startswith("0.3% of 900,000 purchases repeat an earlier one")
