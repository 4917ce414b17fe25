import asyncio

import numpy as np
import pytest

from features.reference_time import MAX_ABSENCE_S
from recall import again
from recall.again import AgainSettings
from recall.again_build import repeat_rates
from tests.recall.small_shop import (
    DAY,
    NO_INTERESTS,
    NOW,
    assert_well_formed,
    make_catalogue,
    make_query,
    make_source,
)

IMPRESSION, VIEW, PURCHASE = 1, 2, 5
CATEGORIES = (1, 1, 2, 2, 2, 0)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES, [4])


def coming_back(user, item):
    return [(user, item, PURCHASE, NOW - 3 * DAY), (user, item, PURCHASE, NOW)]


def test_rates_are_shares_of_shoppers_smoothed_towards_the_category(catalogue):
    events = coming_back(1, 1) + coming_back(2, 1) + [(3, 1, PURCHASE, NOW), (3, 3, PURCHASE, NOW)]
    events += [(4, 3, PURCHASE, NOW), (4, 3, PURCHASE, NOW - 60), (4, 3, IMPRESSION, NOW - 9 * DAY)]
    rates, repeated = repeat_rates(make_source(catalogue, events), strength=2.0)
    overall = (2 + 1) / (5 + 2)
    tea, mugs = (2 + 2 * overall) / (3 + 2), (0 + 2 * overall) / (2 + 2)
    expected = [overall, (2 + 2 * tea) / (3 + 2), tea, (0 + 2 * mugs) / (2 + 2), mugs, mugs, overall]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert repeated == 1


@pytest.fixture
def channel(catalogue, tmp_path):
    events = [event for user in range(1, 30) for event in coming_back(user, 1)]
    events += [(user, item, PURCHASE, NOW) for user in range(1, 30) for item in (2, 3, 5)]
    again.build(make_source(catalogue, events), tmp_path, AgainSettings())
    return again.open_channel(tmp_path, catalogue, NO_INTERESTS, AgainSettings())


def recall(channel, history, k=10):
    recalled = asyncio.run(channel.recall(make_query(history), k))
    assert_well_formed(recalled, k, [item for item, _, _ in history])
    np.testing.assert_array_equal(recalled.items, recalled.triggers)
    return recalled.items.tolist()


def test_what_people_come_back_to_comes_first(channel):
    assert recall(channel, [(3, PURCHASE, NOW), (1, PURCHASE, NOW)]) == [1, 3]


def test_the_recent_comes_first(channel):
    assert recall(channel, [(3, VIEW, NOW - DAY), (5, VIEW, NOW - 2 * DAY)]) == [3, 5]
    assert recall(channel, [(5, VIEW, NOW - DAY), (3, VIEW, NOW - 2 * DAY)]) == [5, 3]


def test_the_frequent_comes_first(channel):
    assert recall(channel, [(3, VIEW, NOW - 5 * DAY), *[(5, VIEW, NOW - at * DAY) for at in (6, 7)]]) == [
        5,
        3,
    ]


def test_a_purchase_counts_more_than_a_view(channel):
    assert recall(channel, [(3, VIEW, NOW - DAY), (5, PURCHASE, NOW - DAY)]) == [5, 3]


def test_impressions_and_items_out_of_stock_are_left_out(channel):
    assert recall(channel, [(1, IMPRESSION, NOW), (4, PURCHASE, NOW), (3, VIEW, NOW)]) == [3]


def test_purchases_older_than_the_history_count_too_and_others_not_twice(channel):
    history = [(3, VIEW, NOW - 2 * DAY), (5, PURCHASE, NOW - 5 * DAY)]
    old = make_query(history, purchases=[(5, NOW - 5 * DAY), (1, NOW - 9 * DAY)])
    alone = make_query(history)
    recalled, without = (asyncio.run(channel.recall(query, 9)) for query in (old, alone))
    assert set(recalled.items.tolist()) == {1, 3, 5}
    scores = dict(zip(recalled.items.tolist(), recalled.scores.tolist(), strict=True))
    assert {item: scores[item] for item in without.items.tolist()} == dict(
        zip(without.items.tolist(), without.scores.tolist(), strict=True)
    )
    only = asyncio.run(channel.recall(make_query(purchases=[(3, NOW - DAY)]), 9))
    assert only.items.tolist() == [3]


def test_after_a_long_absence_the_recent_still_comes_first(channel):
    away = 60 * DAY
    history = [(3, VIEW, NOW - away), (5, VIEW, NOW - away - 2 * DAY)]
    near = [(item, event, ts + away - MAX_ABSENCE_S) for item, event, ts in history]
    answers = [asyncio.run(channel.recall(make_query(past), 9)) for past in (history, near)]
    assert answers[0].items.tolist() == [3, 5]
    np.testing.assert_allclose(answers[0].scores, answers[1].scores)


def test_no_history_recalls_nothing(channel):
    assert recall(channel, []) == []


def test_a_clock_ahead_counts_as_now(channel):
    assert recall(channel, [(3, VIEW, NOW + 9 * DAY)]) == [3]
