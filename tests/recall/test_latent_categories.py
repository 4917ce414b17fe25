"""Latent-interest categories: what is near to an interest and was not visited lately."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from recall import latent_categories
from recall.channel import NothingToRecall
from recall.latent_categories import LatentCategoriesSettings
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_query, make_source, services_of

VIEW, IMPRESSION = 2, 1
CATEGORIES = [1, 1, 2, 2, 3, 3, 3, 4, 0]
ANGLES = [0.0, 0.1, 0.5, 0.6, 1.2, 1.3, 1.25, 3.0, 0.55]
"""Of the items' vectors in radians: 1, 2, 3 in a row, 4 opposite, and an item without a category."""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES, out_of_stock=[7])


def directions(angles):
    angles = np.asarray(angles, np.float32)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def recalled(catalogue, folder, history, interests, k=50, events=((1, 1, VIEW, NOW - DAY),), **settings):
    chosen = LatentCategoriesSettings(**settings)
    vectors = np.concatenate((np.zeros((1, 2), np.float32), directions(ANGLES)))
    latent_categories.build(make_source(catalogue, events, vectors=vectors), folder, chosen)
    channel = latent_categories.open_channel(folder, catalogue, services_of(directions(interests)), chosen)
    return asyncio.run(channel.recall(make_query(history), k))


def test_the_nearest_other_categories_come_first_and_visited_ones_not_at_all(catalogue, tmp_path):
    visited = [(1, VIEW, NOW - DAY)]
    answer = recalled(catalogue, tmp_path, visited, [0.05], categories_per_interest=2, popularity=0.0)
    assert answer.items.tolist() == [
        3,
        4,
        5,
        6,
    ]  # 7 is sold out
    assert answer.triggers.tolist() == [1, 1, 1, 1]
    nearest = recalled(catalogue, tmp_path, visited, [0.05], categories_per_interest=1, popularity=0.0)
    assert nearest.items.tolist() == [3, 4]


def test_a_category_comes_back_after_a_while_and_an_impression_is_no_visit(catalogue, tmp_path):
    history = [(3, IMPRESSION, NOW), (1, VIEW, NOW - 2 * DAY), (5, VIEW, NOW - 60 * DAY)]
    answer = recalled(
        catalogue, tmp_path, history, [0.05], recent_days=30.0, categories_per_interest=4, popularity=0.0
    )
    assert answer.items.tolist() == [3, 4, 5, 6, 8]


def test_every_interest_has_its_categories_and_the_nearest_interest_has_a_shared_one(catalogue, tmp_path):
    history = [(1, VIEW, NOW - DAY), (8, VIEW, NOW - DAY)]
    answer = recalled(catalogue, tmp_path, history, [0.1, 1.0], categories_per_interest=2, popularity=0.0)
    by_item = dict(zip(answer.items.tolist(), answer.scores.tolist(), strict=True))
    assert set(by_item) == {3, 4, 5, 6}
    # Category 2 is nearer to the first interest, 3 to the second.
    assert by_item[3] == pytest.approx(np.cos(0.4), abs=1e-5)
    assert by_item[5] == pytest.approx(np.cos(0.2), abs=1e-5)


def test_hot_items_of_a_category_rise(catalogue, tmp_path):
    events = [(user, 4, VIEW, NOW - DAY) for user in range(1, 30)]
    visited = [(1, VIEW, NOW - DAY)]
    answer = recalled(
        catalogue, tmp_path, visited, [0.05], events=events, categories_per_interest=1, popularity=0.5
    )
    assert answer.items.tolist() == [4, 3]


def test_a_shop_without_categories_switches_it_off(tmp_path):
    catalogue = make_catalogue(tmp_path, [0, 0])
    vectors = np.ones((3, 2), np.float32)
    with pytest.raises(NothingToRecall, match="no item in stock has a category"):
        latent_categories.build(
            make_source(catalogue, [(1, 1, VIEW, 0)], vectors=vectors), tmp_path, LatentCategoriesSettings()
        )
