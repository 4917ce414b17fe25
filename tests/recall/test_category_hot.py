import asyncio

import numpy as np
import pytest

from recall import category_hot
from recall.category_hot import CategoryHotSettings
from tests.recall.small_shop import (
    DAY,
    NO_INTERESTS,
    NOW,
    assert_well_formed,
    make_catalogue,
    make_query,
    make_source,
)

VIEW = 2
# Items 1-3 are tea, 4-5 mugs, 6 a lamp, 7 has no category; mug 5 is sold out.
CATEGORIES = (1, 1, 1, 2, 2, 3, 0)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES, [5])


@pytest.fixture
def channel(catalogue, tmp_path):
    takers = {1: 1, 2: 4, 3: 2, 4: 3, 5: 9, 7: 9}
    events = [(user, item, VIEW, NOW) for item, count in takers.items() for user in range(1, count + 1)]
    options = CategoryHotSettings(popularity_exponent=0, categories=2)
    assert category_hot.build(make_source(catalogue, events), tmp_path, options) == {"categories": 4}
    return category_hot.open_channel(tmp_path, catalogue, NO_INTERESTS, options)


def recall(channel, triggers, weights, k=10):
    recalled = asyncio.run(channel.recall(make_query(triggers=triggers, weights=weights), k))
    assert_well_formed(recalled, k, triggers)
    return recalled


def test_scores_are_the_categorys_weight_times_the_items_share(channel):
    recalled = recall(channel, [1, 4, 3], [0.5, 0.5, 0.5])
    assert recalled.items.tolist() == [2, 4, 3, 1]
    np.testing.assert_allclose(recalled.scores, [4 / 7, 1 / 2, 2 / 7, 1 / 7], rtol=1e-6)


def test_popularity_leans_towards_what_is_hot_in_the_whole_shop(catalogue, tmp_path):
    # Teas 1 and 2 are half of tea each; mug 4 is all of the mugs in stock, but half as hot.
    events = [
        (user, item, VIEW, NOW) for item, count in {2: 4, 1: 4, 4: 2, 6: 1}.items() for user in range(count)
    ]
    options = CategoryHotSettings(popularity_exponent=1)
    category_hot.build(make_source(catalogue, events), tmp_path, options)
    channel = category_hot.open_channel(tmp_path, catalogue, NO_INTERESTS, options)
    recalled = recall(channel, [3, 5, 6], [1.0, 1.0, 1.0])
    assert recalled.items.tolist() == [1, 2, 4, 6]
    np.testing.assert_allclose(recalled.scores, [0.5, 0.5, 0.5, 0.25])


def test_the_heaviest_trigger_of_the_category_is_named(channel):
    recalled = recall(channel, [1, 4, 3], [0.25, 0.5, 1.0])
    assert dict(zip(recalled.items.tolist(), recalled.triggers.tolist(), strict=True)) == {
        2: 3,
        3: 3,
        1: 3,
        4: 4,
    }


def test_only_the_strongest_categories_are_asked(channel):
    assert set(recall(channel, [6, 4, 1], [1.0, 0.9, 0.1]).items.tolist()) == {4}


def test_items_out_of_stock_are_not_listed(channel):
    assert recall(channel, [5], [1.0]).items.tolist() == [4]


def test_a_trigger_without_category_and_no_trigger_recall_nothing(channel):
    assert len(recall(channel, [7], [1.0]).items) == 0
    assert len(recall(channel, [], []).items) == 0


def test_an_old_behaviour_heats_less(catalogue, tmp_path):
    events = [(1, 1, VIEW, NOW - 28 * DAY), (2, 2, VIEW, NOW)]
    options = CategoryHotSettings(half_life_days=14, popularity_exponent=0)
    category_hot.build(make_source(catalogue, events), tmp_path, options)
    channel = category_hot.open_channel(tmp_path, catalogue, NO_INTERESTS, options)
    recalled = recall(channel, [3], [1.0])
    assert recalled.items.tolist() == [2, 1]
    np.testing.assert_allclose(recalled.scores, [0.8, 0.2])
