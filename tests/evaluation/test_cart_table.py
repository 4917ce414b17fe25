"""Baskets with items held out, and what the table of pages with a cart counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from evaluation.baselines import BasketKnn
from evaluation.cart_table import (
    cart_table,
    page_of_basket_knn_sum,
    page_of_channel_head,
    with_cart,
    without_cart,
)
from evaluation.held_out_carts import HeldOutCart, HeldOutCarts, held_out_carts
from evaluation.settings import BasketKnnSettings
from recall.baskets import Baskets
from recall.channel import Recalled
from recall.query import Query
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_source

PURCHASE = 5


def items(*given: int) -> np.ndarray:
    return np.array(given, np.int32)


def test_a_basket_is_split_into_what_is_given_and_what_is_held_out(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1] * 40)
    baskets = {user: set(range(user, user + 5)) for user in range(1, 31)}
    events = [
        (user, item, PURCHASE, NOW - DAY + user + place)
        for user, bought in baskets.items()
        for place, item in enumerate(sorted(bought))
    ]
    events += [(31, item, PURCHASE, NOW - DAY + item) for item in (1, 2, 3)]
    events += [(user, 40, PURCHASE, NOW - 3 * DAY) for user in baskets]
    source = make_source(catalogue, events)
    found = held_out_carts(source, NOW - 2 * DAY, NOW, 4, 20, np.random.default_rng(1))
    assert len({cart.user for cart in found.half}) == len(found.all_but_one) == 20
    for one, half in zip(found.all_but_one, found.half, strict=True):
        assert one.user == half.user
        for cart, count in ((one, 1), (half, 2)):
            assert cart.begin == NOW - DAY + cart.user
            assert len(cart.held_out) == count
            assert sorted([*cart.cart, *cart.held_out]) == sorted(baskets[cart.user])
    assert len({tuple(cart.held_out - cart.user) for cart in found.all_but_one}) > 1
    again = held_out_carts(source, NOW - 2 * DAY, NOW, 4, 20, np.random.default_rng(1))
    assert [cart.held_out.tolist() for cart in again.half] == [cart.held_out.tolist() for cart in found.half]


def test_columns_are_counted_over_baskets() -> None:
    """The page is what the query excludes, each number plus ten."""

    async def shown(query: Query) -> np.ndarray:
        return query.excluded + 10

    carts = HeldOutCarts(
        [HeldOutCart(7, 1, items(1), items(11)), HeldOutCart(8, 1, items(2), items(13))],
        [HeldOutCart(7, 1, items(1, 2), items(12, 19)), HeldOutCart(8, 1, items(2), items(13))],
    )
    rows = cart_table(carts, {"a": (shown, with_cart(lambda cart: Query(scene="s", now=cart.begin)))}, 0)
    assert rows["a"] == pytest.approx(
        {
            "hr@10": 0.5,
            "low": 0,
            "high": 1,
            "half_hr@10": 0.5,
            "half_low": 0,
            "half_high": 1,
            "half_recall@10": 0.25,
        }
    )


def test_a_page_without_its_cart_is_not_about_it_and_does_not_show_it() -> None:
    cart = HeldOutCart(7, 1, items(1, 2), items(3))
    shopper = Query(scene="s", now=1, triggers=items(9), trigger_weights=np.ones(1, np.float32))
    without, about = (asked(lambda _: shopper)(cart) for asked in (without_cart, with_cart))
    assert (without.triggers.tolist(), without.anchors.size) == ([9], 0)
    assert (about.triggers.tolist(), about.anchors.tolist()) == ([1, 2], [1, 2])
    assert without.excluded.tolist() == about.excluded.tolist() == [1, 2]


def test_peers_show_nothing_of_the_cart() -> None:
    class Channel:
        name = "c"

        async def recall(self, query: Query, k: int) -> Recalled:
            head = items(1, 5, 2, 6, 7)[:k]
            return Recalled(head, np.ones(len(head), np.float32), head)

    query = Query(scene="s", now=1).about(items(1, 2))
    assert asyncio.run(page_of_channel_head(Channel(), 2)(query)).tolist() == [5, 6]


@pytest.mark.parametrize(("exponent", "best"), [(0.0, 4), (1.0, 3)])
def test_the_sum_over_a_cart_lets_the_rare_item_say_more(exponent: float, best: int) -> None:
    """Item 1 is in 40 baskets, two of them with 4; item 2 is in one, with 3."""
    baskets = [(1, 4), (1, 4), *[(1, 5)] * 38, (2, 3)]
    knn = BasketKnn.fit(
        Baskets(
            np.repeat(np.arange(len(baskets)), 2).astype(np.int32),
            np.concatenate(baskets).astype(np.int32),
            np.ones(len(baskets), np.int32),
            np.zeros(len(baskets), np.int64),
        ),
        5,
        BasketKnnSettings(exponent=0.0, shrinkage=0.0, cart_exponent=exponent),
    )
    scores = knn.cart_scores(items(1, 2))
    assert (scores[4] > scores[3]) == (best == 4)
    page = asyncio.run(page_of_basket_knn_sum(knn, 10)(Query(scene="s", now=1).about(items(1, 2))))
    assert sorted(page.tolist()) == [3, 4, 5]
