"""Scatter: windows hold wherever they can, and every slot is filled."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.candidates import unscored
from pipeline.scatter_order import scatter
from router.rerank.registry import RERANKERS
from router.rerank.scatter import ScatterRule, ScatterSettings, create
from router.tables.component import Parts
from snapshot.item_columns import ItemColumn
from tests.snapshot.plugin_columns import registered

LIMIT = st.integers(2, 6).flatmap(lambda window: st.tuples(st.just(window), st.integers(1, window - 1)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[np.ndarray], list[tuple[int, int]], int, int]:
    count = draw(st.integers(0, 25))
    limits = draw(st.lists(LIMIT, max_size=3))
    groups = [
        np.array(draw(st.lists(st.integers(0, 4), min_size=count, max_size=count)), dtype=np.int32)
        for _ in limits
    ]
    return groups, limits, count, draw(st.integers(1, 30))


def broken(
    groups: list[np.ndarray], limits: list[tuple[int, int]], page: list[int], candidate: int
) -> tuple[bool, ...]:
    """Rules that placing `candidate` after `page` breaks, most important first."""
    answer = []
    for column, (window, most) in zip(groups, limits, strict=True):
        group = column[candidate]
        before = page[max(0, len(page) - window + 1) :]
        answer.append(bool(group) and sum(column[other] == group for other in before) >= most)
    return tuple(answer)


def by_brute_force(
    groups: list[np.ndarray], limits: list[tuple[int, int]], count: int, page_size: int
) -> list[int]:
    page: list[int] = []
    while len(page) < min(page_size, count):
        left = [i for i in range(count) if i not in page]
        page.append(min(left, key=lambda i: (broken(groups, limits, page, i), i)))
    return page


@given(cases())
def test_agrees_with_brute_force_slot_by_slot(case: tuple) -> None:
    groups, limits, count, page_size = case
    order = scatter(groups, limits, count, page_size).tolist()
    page = by_brute_force(*case)
    assert order[: len(page)] == page
    assert order[len(page) :] == [i for i in range(count) if i not in page]


@given(cases())
def test_is_a_permutation_so_no_slot_and_no_candidate_is_lost(case: tuple) -> None:
    groups, limits, count, page_size = case
    assert sorted(scatter(groups, limits, count, page_size).tolist()) == list(range(count))


@given(cases())
def test_a_rule_is_broken_only_where_every_candidate_left_breaks_one(case: tuple) -> None:
    groups, limits, count, page_size = case
    order = scatter(groups, limits, count, page_size).tolist()
    for slot in range(min(page_size, count)):
        if any(broken(groups, limits, order[:slot], order[slot])):
            assert all(any(broken(groups, limits, order[:slot], other)) for other in order[slot:])


def test_score_order_stands_where_no_rule_is_touched() -> None:
    groups = [np.array([1, 2, 1, 2, 1, 2], np.int32)]
    assert scatter(groups, [(2, 1)], 6, 6).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_run_of_one_category_is_broken_up() -> None:
    groups = [np.array([1, 1, 1, 1, 2, 3], np.int32)]
    assert scatter(groups, [(3, 2)], 6, 6).tolist() == [0, 1, 4, 2, 3, 5]


def test_both_dimensions_hold_together() -> None:
    category = np.array([1, 1, 2, 2, 3], np.int32)
    brand = np.array([1, 2, 1, 2, 3], np.int32)
    assert scatter([category, brand], [(2, 1), (2, 1)], 5, 5).tolist() == [0, 3, 4, 1, 2]


def test_unknown_groups_are_never_scattered() -> None:
    assert scatter([np.zeros(5, np.int32)], [(5, 1)], 5, 5).tolist() == [0, 1, 2, 3, 4]


def test_the_last_rule_is_given_up_first() -> None:
    category = np.array([1, 1, 2], np.int32)
    brand = np.array([1, 2, 1], np.int32)
    assert scatter([category, brand], [(3, 1), (3, 1)], 3, 2).tolist()[:2] == [0, 2]
    assert scatter([brand, category], [(3, 1), (3, 1)], 3, 2).tolist()[:2] == [0, 1]


def test_one_category_only_still_fills_the_page() -> None:
    assert scatter([np.ones(8, np.int32)], [(4, 1)], 8, 5).tolist() == list(range(8))


def test_as_a_stage_it_reads_the_columns_of_the_catalogue() -> None:
    columns = {"category": np.array([0, 1, 1, 2], np.int32), "brand": np.zeros(4, np.int32)}
    catalogue = SimpleNamespace(column=columns.__getitem__)
    tested = create(
        Parts(catalogue, {}), ScatterSettings(rules=[ScatterRule(by="category", window=2, max=1)])
    )
    items = np.array([1, 2, 3], np.int32)
    found = unscored(items, np.ones(3, np.uint32), np.ones(3, np.float32), np.zeros(3, np.int32))
    assert tested.order(None, found, 3).tolist() == [0, 2, 1]
    assert tested.name == "scatter"
    assert RERANKERS["scatter"].create is create


def test_a_page_about_an_item_may_be_full_of_its_category() -> None:
    columns = {"category": np.array([0, 1, 1, 1, 2, 2, 2, 3], np.int32)}
    catalogue = SimpleNamespace(column=columns.__getitem__)
    rule = {"by": "category", "window": 6, "max": 1}
    items = np.array([2, 3, 4, 5, 6, 7], np.int32)
    found = unscored(items, np.ones(6, np.uint32), np.ones(6, np.float32), np.zeros(6, np.int32))
    for spared, about, page in (
        (False, [1], [2, 4, 7]),
        (True, [1], [2, 3, 4, 7]),
        (True, [1, 6], [2, 3, 4, 5, 6, 7]),
        # Nothing is known of what forms no group.
        (True, [0], [2, 4, 7]),
        (True, [], [2, 4, 7]),
    ):
        tested = create(
            Parts(catalogue, {}), ScatterSettings(rules=[ScatterRule(**rule, spares_anchors=spared)])
        )
        query = SimpleNamespace(anchors=np.array(about, np.int32))
        assert items[tested.order(query, found, 6)][: len(page)].tolist() == page


def test_any_registered_group_or_band_can_be_scattered_by_and_no_other_column() -> None:
    with pytest.raises(
        ValidationError, match=r"category, .*popularity_band, picture_group, .*product; got 'material'"
    ):
        ScatterRule(by="material")
    with registered(material=ItemColumn.group("What it is made of."), weight=ItemColumn.value("Weight.")):
        assert ScatterRule(by="material").by == "material"
        for other in ("weight", "title", "in_stock", "price"):
            with pytest.raises(
                ValidationError, match=r"popularity_band, picture_group, material, .*product; got"
            ):
                ScatterRule(by=other)


@pytest.mark.parametrize(
    "rule",
    [
        {"window": 3, "max": 3},
        {"window": 1},
        {"max": 0},
        {"by": "colour"},
        {"extra": 1},
        {"by": "trigger", "spares_anchors": True},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ScatterRule(**rule)
