"""Visit_knn and user_knn: what resembles the shopper's past, and what else it holds."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall import user_knn, visit_knn
from recall.visit_index import VisitIndex
from recall.visit_neighbours import VisitNeighbours
from recall.visits import Visits
from tests.recall.small_shop import DAY, NO_INTERESTS, NOW, make_catalogue, make_query, make_source

VIEW = 2
SIZE = 7
visits = st.lists(st.lists(st.integers(1, SIZE), min_size=2, max_size=6, unique=True), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * SIZE, out_of_stock=[SIZE])


def index_of(visits, per_item=100):
    """The visits a day apart, the last one now."""
    offsets = np.r_[0, np.cumsum([len(visit) for visit in visits])]
    begin = NOW - DAY * np.arange(len(visits))[::-1]
    items = np.concatenate([np.array(visit, np.int32) for visit in visits])
    return VisitIndex.of(Visits(offsets, items, begin), SIZE, NOW, per_item)


def scores_of(visits, history, settings):
    """The formula by loops; history: latest first, a second apart."""
    frequency = np.bincount([i for visit in visits for i in visit], minlength=SIZE + 1)
    rarity = np.log((1 + len(visits)) / (1 + frequency)) + 1
    weight = {
        item: np.exp(-step / settings.step_scale) * 0.5 ** (step / 86_400 / settings.half_life_days)
        for step, item in reversed(list(enumerate(history)))
    }
    found: dict[int, float] = {}
    for age, visit in enumerate(reversed(visits)):
        shared = [item for item in history if item in visit]
        if not shared:
            continue
        similarity = sum(weight[i] * rarity[i] ** settings.rarity_exponent for i in set(shared))
        similarity *= 0.5 ** (age / settings.visit_half_life_days) / len(visit) ** settings.length_exponent
        for place, item in enumerate(visit):
            apart = abs(place - visit.index(shared[0]))
            score = similarity * np.exp(-apart / settings.place_scale)
            found[item] = found.get(item, 0) + score * rarity[item] ** settings.target_rarity_exponent
    return {item: score for item, score in found.items() if item != SIZE}


@given(visits=visits, history=st.lists(st.integers(1, SIZE), min_size=1, max_size=6))
def test_scores_are_those_of_the_formula(catalogue, visits, history):
    settings = visit_knn.VisitKnnSettings()
    query = make_query([(item, VIEW, NOW - at) for at, item in enumerate(history)])
    recalled = VisitNeighbours(index_of(visits), catalogue, settings).recall(query, 100)
    found = dict(zip(recalled.items.tolist(), recalled.scores.tolist(), strict=True))
    assert found == pytest.approx(scores_of(visits, history, settings), rel=1e-4)
    assert set(recalled.triggers.tolist()) <= set(history)


def test_only_the_most_similar_visits_count(catalogue):
    settings = visit_knn.VisitKnnSettings(neighbours=1)
    query = make_query([(1, VIEW, NOW), (2, VIEW, NOW)])
    recalled = VisitNeighbours(index_of([[1, 2, 3], [1, 4]]), catalogue, settings).recall(query, 100)
    assert sorted(recalled.items.tolist()) == [1, 2, 3]


@given(visits=visits, per_item=st.integers(1, 3))
def test_an_item_is_looked_up_in_its_newest_visits(visits, per_item):
    index = index_of(visits, per_item)
    for item in range(1, SIZE + 1):
        having = [at for at, visit in enumerate(visits) if item in visit]
        found, places, source = index.with_items(np.array([item], np.int32))
        assert found.tolist() == having[::-1][:per_item]
        assert [visits[at][place] for at, place in zip(found, places, strict=True)] == [item] * len(found)
        assert not source.any()
        assert index.frequency[item] == len(having)


def test_visits_are_told_apart_by_a_gap_and_shoppers_are_not(catalogue, tmp_path):
    # One shopper took 1 and 2 together, and 3 and 4 a day later.
    log = [(1, 1, VIEW, 0), (1, 2, VIEW, 9), (1, 3, VIEW, DAY), (1, 4, VIEW, DAY + 9)]
    source = make_source(catalogue, log, now=2 * DAY)
    query = make_query([(1, VIEW, 2 * DAY)])
    answers = {}
    for channel in (visit_knn, user_knn):
        folder = tmp_path / channel.NAME
        folder.mkdir()
        channel.build(source, folder, channel.CHANNEL.settings())
        opened = channel.open_channel(folder, catalogue, NO_INTERESTS, channel.CHANNEL.settings())
        answers[channel.NAME] = set(asyncio.run(opened.recall(query, 10)).items.tolist())
    assert answers == {"visit_knn": {1, 2}, "user_knn": {1, 2, 3, 4}}
