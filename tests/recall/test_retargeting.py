"""Retargeting: interest without a purchase."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from recall import retargeting
from recall.channel import NothingToRecall
from recall.retargeting import RetargetingSettings
from tests.recall.small_shop import DAY, NO_INTERESTS, NOW, make_catalogue, make_query, make_source

VIEW, FAVORITE, CART, PURCHASE = 2, 3, 4, 5


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * 9, out_of_stock=[9])


def recalled(catalogue, folder, history, k=50, purchases=(), removed=(), **settings):
    chosen = RetargetingSettings(**settings)
    retargeting.build(make_source(catalogue, [(1, 1, VIEW, 0)]), folder, chosen)
    channel = retargeting.open_channel(folder, catalogue, NO_INTERESTS, chosen)
    query = replace(
        make_query(history, purchases=purchases),
        removed_items=np.array([item for item, _ in removed], np.int32),
        removed_ts=np.array([ts for _, ts in removed], np.int64),
    )
    return asyncio.run(channel.recall(query, k))


def test_what_was_bought_since_is_left_out(catalogue, tmp_path):
    history = [
        (1, VIEW, NOW - 10),  # viewed again after it was bought
        (1, PURCHASE, NOW - 20),
        (2, PURCHASE, NOW - 30),
        (2, CART, NOW - 40),
        (3, FAVORITE, NOW - 50),
        (4, VIEW, NOW - 60),  # bought, as the purchases say
        (9, VIEW, NOW - 70),  # out of stock
    ]
    answer = recalled(catalogue, tmp_path, history, purchases=[(4, NOW - 55)])
    assert answer.items.tolist() == [3, 1]
    assert answer.triggers.tolist() == [3, 1]


def test_what_was_taken_out_of_the_cart_waits_for_new_interest(catalogue, tmp_path):
    history = [
        (1, VIEW, NOW - 10),  # viewed again after it was taken out
        (1, CART, NOW - 60),
        (2, CART, NOW - 30),
        (2, VIEW, NOW - 40),
        (3, CART, NOW - 50),
    ]
    answer = recalled(catalogue, tmp_path, history, removed=[(1, NOW - 20), (2, NOW - 25)])
    assert answer.items.tolist() == [3, 1]


def test_a_cart_counts_more_than_a_view_and_an_old_one_less(catalogue, tmp_path):
    history = [(1, VIEW, NOW - 1), (2, CART, NOW - 2), (3, CART, NOW - 6 * DAY), (4, VIEW, NOW - 40 * DAY)]
    assert recalled(catalogue, tmp_path, history).items.tolist() == [2, 1, 3]


def test_the_quota_holds_whatever_is_asked_for(catalogue, tmp_path):
    history = [(item, VIEW, NOW - item) for item in range(1, 9)]
    assert recalled(catalogue, tmp_path, history, limit=3).items.tolist() == [1, 2, 3]
    assert recalled(catalogue, tmp_path, history, k=2, limit=3).items.tolist() == [1, 2]


def test_a_log_of_purchases_alone_switches_it_off(catalogue, tmp_path):
    with pytest.raises(NothingToRecall, match="no views, favourites or carts"):
        retargeting.build(make_source(catalogue, [(1, 1, PURCHASE, 0)]), tmp_path, RetargetingSettings())
