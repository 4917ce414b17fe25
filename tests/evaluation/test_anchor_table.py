"""Pairs of a basket, and what the table of pages about one item counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from evaluation.anchor_pairs import AnchorPairs, best_sold, next_in_basket
from evaluation.anchor_table import PageOf, anchor_table, page_of_basket_knn, page_of_popularity
from evaluation.baselines import BasketKnn
from evaluation.settings import BasketKnnSettings
from recall.baskets import Baskets
from recall.query import Query
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_source

PURCHASE = 5


def test_pairs_are_neighbours_of_one_basket_in_the_range(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1] * 40)
    baskets = {user: list(range(user, user + 5)) for user in range(1, 31)}
    events = [
        (user, item, PURCHASE, NOW - DAY + place)
        for user, items in baskets.items()
        for place, item in enumerate(items)
    ]
    events += [(user, 40, PURCHASE, NOW - 3 * DAY) for user in baskets]
    source = make_source(catalogue, events)
    pairs = next_in_basket(source, NOW - 2 * DAY, NOW, 20, np.random.default_rng(1))
    assert len(pairs.user) == len(set(pairs.user.tolist())) == 20
    assert (pairs.target == pairs.anchor + 1).all()
    assert (pairs.anchor >= pairs.user).all()
    assert (pairs.target < pairs.user + 5).all()
    assert len(next_in_basket(source, NOW - 4 * DAY, NOW - 2 * DAY, 20, np.random.default_rng(1)).user) == 0


def test_the_best_sold_are_in_stock_and_sold(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1] * 6, out_of_stock=[2])
    events = [(1, item, PURCHASE, NOW - 9) for item in (1, 1, 2, 2, 2, 3)]
    found = best_sold(make_source(catalogue, events), 5, 9, np.random.default_rng(0))
    assert sorted(found.tolist()) == [1, 3]


def test_columns_are_counted_over_pairs_and_pages() -> None:
    """Pages of 1 and 2 share one item of two; the known shopper is shown the target."""

    async def shown(query: Query) -> np.ndarray:
        (anchor,) = query.anchors
        assert anchor in query.excluded
        return np.array([5, 2 + anchor] if query.user_id == "" else [9, 5], np.int32)

    shopper = Query(scene="s", now=1, user_id="u")
    rows = anchor_table(
        AnchorPairs(*(np.array(column, np.int32) for column in ([7, 7], [1, 2], [3, 9]))),
        {7: shopper},
        {7: np.array([1, 2], np.int32)},
        {"a": shown},
        {"s": shown},
        np.array([0, 1, 2, 1, 0, 1, 0, 0, 0, 2]),
        1,
        0,
    )
    assert rows["a"] == pytest.approx(
        {"hr@10": 0.5, "low": 0.5, "high": 0.5, "distinct": 3, "overlap": 0.5, "same_category": 0.5}
    )
    assert rows["s, known shopper"] == pytest.approx(
        {"hr@10": 0.5, "low": 0.5, "high": 0.5, "distinct": 2, "overlap": 1, "same_category": 0.5}
    )


def test_how_alike_pages_are_is_a_mean_over_draws_of_items() -> None:
    """Pages of 1 and 2 are the same, those of 3 and 4 have nothing in common."""

    async def shown(query: Query) -> np.ndarray:
        (anchor,) = query.anchors
        return np.array([5, 6] if anchor < 3 else [2 * anchor, 2 * anchor + 1], np.int32)

    shoppers = {user: Query(scene="s", now=1, user_id=str(user)) for user in (7, 8)}
    rows = anchor_table(
        AnchorPairs(*(np.array(column, np.int32) for column in ([7], [1], [3]))),
        shoppers,
        {7: np.array([1, 2], np.int32), 8: np.array([3, 4], np.int32)},
        {"a": shown},
        {"s": shown},
        np.zeros(12, int),
        1,
        0,
    )
    for row in rows.values():
        assert (row["distinct"], row["overlap"]) == (3, 0.5)


async def page(made: PageOf, anchor: int) -> list[int]:
    found = await made(Query(scene="s", now=1).about(np.array([anchor], np.int32)))
    return [int(item) for item in found]


@pytest.mark.parametrize(("exponent", "best"), [(0.0, 3), (1.0, 2)])
def test_basket_knn_divides_by_the_targets_baskets(exponent: float, best: int) -> None:
    baskets = [(1, 3), (1, 3), (1, 2), *[(3, 4)] * 30]
    made = BasketKnn.fit(
        Baskets(
            np.repeat(np.arange(len(baskets)), 2).astype(np.int32),
            np.concatenate(baskets).astype(np.int32),
            np.ones(len(baskets), np.int32),
            np.zeros(len(baskets), np.int64),
        ),
        4,
        BasketKnnSettings(exponent=exponent, shrinkage=0.0 if exponent == 0 else 1.0),
    )
    assert made.scores(1)[3] == pytest.approx(2 / 33**exponent if exponent == 0 else 2 / 33)
    assert asyncio.run(page(page_of_basket_knn(made, 2), 1))[0] == best


def test_a_small_catalogue_shows_only_what_goes_with_the_anchor() -> None:
    """Four items for a page of ten: item 3 and 4 never went with item 1."""
    baskets = [(1, 2), (1, 2), (3, 4)]
    made = BasketKnn.fit(
        Baskets(
            np.repeat(np.arange(len(baskets)), 2).astype(np.int32),
            np.concatenate(baskets).astype(np.int32),
            np.ones(len(baskets), np.int32),
            np.zeros(len(baskets), np.int64),
        ),
        4,
        BasketKnnSettings(),
    )
    assert asyncio.run(page(page_of_basket_knn(made, 10), 1)) == [2]


def test_empty_pages_have_no_share_and_no_warning() -> None:
    async def nothing(query: Query) -> np.ndarray:
        return np.empty(0, np.int32)

    rows = anchor_table(
        AnchorPairs(*(np.array(column, np.int32) for column in ([7], [1], [3]))),
        {7: Query(scene="s", now=1, user_id="u")},
        {7: np.array([1, 2], np.int32)},
        {"a": nothing},
        {"s": nothing},
        np.zeros(4, int),
        1,
        0,
    )
    for row in rows.values():
        assert (row["hr@10"], row["distinct"]) == (0, 0)
        assert np.isnan([row["overlap"], row["same_category"]]).all()


def test_popularity_leaves_the_anchor_out() -> None:
    made = page_of_popularity(np.array([99, 5, 9, 7, 1]), 2)
    assert asyncio.run(page(made, 2)) == [3, 1]
    assert asyncio.run(page(made, 4)) == [2, 3]
