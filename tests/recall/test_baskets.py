"""Which events form a basket, and what sharing baskets counts."""

import math

import numpy as np
import polars as pl
import pytest

from recall.basket_settings import BasketSettings
from recall.baskets import Baskets, baskets_of
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_source

PURCHASE, VIEW, IMPRESSION = 5, 2, 1
MINUTE = 60


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * 9)


def contents(catalogue, log, sessions=None, **settings):
    """The items of each basket, in no order."""
    source = make_source(catalogue, log)
    if sessions is not None:
        source.events.insert_column(4, pl.Series("session_id", sessions, dtype=pl.String))
    baskets = baskets_of(source, BasketSettings(**settings))
    found = [sorted(baskets.item[baskets.basket == basket].tolist()) for basket in np.unique(baskets.basket)]
    return sorted(found)


def test_a_basket_ends_with_a_gap_or_another_shopper(catalogue):
    events = [
        (1, 1, PURCHASE, NOW - DAY),
        (1, 2, PURCHASE, NOW - DAY + 59 * MINUTE),
        (1, 3, PURCHASE, NOW - DAY + 118 * MINUTE),
        (1, 4, PURCHASE, NOW - DAY + 180 * MINUTE),
        (2, 5, PURCHASE, NOW - DAY + 181 * MINUTE),
    ]
    assert contents(catalogue, events) == [[1, 2, 3], [4], [5]]
    assert contents(catalogue, events, session_gap_minutes=30) == [[1], [2], [3], [4], [5]]


def test_sessions_of_the_log_count_before_the_gap(catalogue):
    """One session may last for days; two shoppers' sessions of one name are two; without a name, the gap."""
    events = [
        (1, 1, PURCHASE, NOW - 3 * DAY),
        (1, 2, PURCHASE, NOW - DAY),
        (1, 3, PURCHASE, NOW - DAY + 1),
        (1, 4, PURCHASE, NOW - DAY + 2),
        (1, 5, PURCHASE, NOW - DAY + 3),
        (2, 6, PURCHASE, NOW - DAY),
    ]
    assert contents(catalogue, events, ["a", "a", "b", None, None, "a"]) == [[1, 2], [3], [4, 5], [6]]


@pytest.mark.parametrize(
    ("views", "settings", "expected"),
    [
        (1, {}, [[1, 2]]),
        (30, {}, [[1, 2, 3]]),
        (1, {"events": "all"}, [[1, 2, 3]]),
        (30, {"events": "purchases"}, [[1, 2]]),
    ],
)
def test_purchases_fill_baskets_where_there_are_enough(catalogue, views, settings, expected):
    bought = [(1, 1, PURCHASE, NOW - 9), (1, 2, PURCHASE, NOW - 8)]
    seen = [(1, 3, VIEW, NOW - 7)] * views
    shown = [(1, 4, IMPRESSION, NOW - 7)]
    assert contents(catalogue, [*bought, *seen, *shown], **settings) == expected


def test_a_basket_keeps_its_latest_items_once_and_nothing_after_the_cut(catalogue):
    events = [(1, item, PURCHASE, NOW - 20 + item) for item in (1, 2, 3)]
    events += [(1, 1, PURCHASE, NOW - 1), (1, 5, PURCHASE, NOW + 1)]
    assert contents(catalogue, events) == [[1, 2, 3]]
    assert contents(catalogue, events, items_per_basket=2) == [[1, 3]]


@pytest.mark.parametrize("pairs_per_block", [1_000, 1_000_000])
def test_pairs_count_less_in_large_baskets(pairs_per_block):
    rng = np.random.default_rng(5)
    size, baskets = 60, [rng.permutation(60)[: rng.integers(1, 20)] + 1 for _ in range(80)]
    expected = np.zeros((size + 1, size + 1))
    for items in baskets:
        expected[np.ix_(items, items)] += 1 / math.log2(1 + len(items))
    np.fill_diagonal(expected, 0)
    made = Baskets(
        np.repeat(np.arange(len(baskets)), [len(items) for items in baskets]).astype(np.int32),
        np.concatenate(baskets).astype(np.int32),
        np.zeros(len(baskets), np.int32),
        np.zeros(len(baskets), np.int64),
    )
    blocks = list(made.pairs(size, pairs_per_block))
    assert (len(blocks) > 1) == (pairs_per_block == 1_000)
    counted = np.vstack([np.zeros((1, size + 1)), *(together.toarray() for _, together in blocks)])
    np.testing.assert_allclose(counted, expected, rtol=1e-5)
    assert made.counts(size).tolist() == np.bincount(np.concatenate(baskets), minlength=size + 1).tolist()
