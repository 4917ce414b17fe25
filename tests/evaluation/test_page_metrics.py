"""The columns of served pages against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.page_metrics import HEADS, LOOKS, SETS, WINDOW, PageFacts, overlap_of, page_row
from evaluation.queries import TestShopper
from tests.evaluation.peers.small_past import past_of
from tests.recall.small_shop import make_query

CATEGORY = np.array([0, 1, 1, 2, 2, 0, 0])


def shopper(user: int, targets: list[int], new: list[int], first_day: list[int]) -> TestShopper:
    columns = (np.array(items, np.int32) for items in (targets, new, first_day))
    return TestShopper(make_query(), *columns, user=user)


def facts() -> PageFacts:
    """Eight events: item 1 has four, item 2 two, items 3 and 4 one each; shopper 1 took items 1 and 2."""
    rows = [(1, 1, 5), (1, 1, 4), (1, 2, 4), (2, 1, 3), (2, 1, 2), (2, 2, 2), (2, 3, 1), (2, 4, 1)]
    return PageFacts(past_of(rows, 6, users=3), CATEGORY)


def test_columns_by_hand() -> None:
    shoppers = [shopper(1, [1, 3, 5], [3, 5], [5]), shopper(3, [6], [6], [6])]
    pages = [np.array([2, 1, 3, 5], np.int32), np.array([1, 2], np.int32)]
    row = page_row(shoppers, pages, facts(), 4, seed=0)
    discount = 1 / np.log2(np.arange(2, 6))
    gain = (discount[1] + discount[2] + discount[3]) / discount[:3].sum()
    assert list(row) == [column.format(k=4) for column in (*WINDOW, *SETS, *LOOKS, *HEADS)]
    assert row["ndcg@4"] == pytest.approx(gain / 2)
    assert row["low"] == pytest.approx(0)
    assert row["high"] == pytest.approx(gain)
    assert row["hr@4"] == 0.5
    assert row["mrr"] == pytest.approx(0.5 / 2)
    assert row["map@4"] == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3 / 2)
    assert row["precision@4"] == pytest.approx(3 / 4 / 2)
    assert row["recall@4"] == pytest.approx(1 / 2)
    assert row["f1@4"] == pytest.approx(2 * 0.75 / 1.75 / 2)
    assert row["new_recall@4"] == pytest.approx(1 / 2)
    # The first day had item 5 alone, in the fourth slot.
    assert row["next_ndcg@4"] == pytest.approx(discount[3] / 2)
    assert row["next_hr@4"] == 0.5
    # One of the six pairs of page 1 shares a category (items 2 and 1), the only pair of page 2 does.
    assert row["same_category"] == pytest.approx((1 / 6 + 1) / 2)
    assert row["distinct"] == 4
    bits = [2, 1, 3, 3, 1, 2]  # of items 2, 1, 3, 5 and 1, 2; item 5 counts as one event
    assert row["novelty"] == pytest.approx(np.mean(bits))
    # Items 1 and 2 are on both pages: 2 of 4 slots and 2 of 2.
    assert row["overlap"] == pytest.approx(4 / 6)
    assert row["taken_before"] == pytest.approx(2 / 6)
    assert (row["most_shown"], row["head_most"]) == (1, 1)
    assert row["head_overlap"] == pytest.approx(4 / 6)


def test_empty_pages_have_hits_of_zero_and_no_looks() -> None:
    shoppers = [shopper(1, [1], [], []), shopper(2, [2], [], [])]
    row = page_row(shoppers, [np.empty(0, np.int32)] * 2, facts(), 10, seed=0)
    for column in ("ndcg@10", "hr@10", "mrr", "map@10", "f1@10", "distinct"):
        assert row[column] == 0
    for column in ("new_recall@10", "next_ndcg@10", "same_category", "novelty", "overlap", "taken_before"):
        assert math.isnan(row[column])


def test_overlap_of_equal_and_of_different_pages() -> None:
    page = np.array([1, 2, 3], np.int32)
    assert overlap_of([page, page, page]) == 1
    assert overlap_of([page, page + 10, page + 20]) == 0
    assert overlap_of([page, page, page + 10]) == pytest.approx(1 / 3)


def test_heads_are_the_first_four_slots() -> None:
    shoppers = [shopper(each, [1], [], []) for each in (1, 2, 3)]
    rows = [[1, 2, 3, 4, 6], [1, 3, 2, 5, 6], [6, 5, 4, 3, 2]]
    row = page_row(shoppers, [np.array(each, np.int32) for each in rows], facts(), 5, seed=0)
    assert row["most_shown"] == 1
    # Item 3 is in every head; 1, 2, 4 and 5 are in two of the three, 6 in one.
    assert row["head_most"] == 1
    assert row["head_overlap"] == pytest.approx((3 * 2 + 4 * 2 * 1) / (2 * 12))
