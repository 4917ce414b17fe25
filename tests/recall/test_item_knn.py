"""Item_knn: sequences of other shoppers, from what the shopper did last."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall import item_knn
from recall.item_knn_build import RARE_BEHAVIOURS, sequence_neighbours
from recall.item_knn_settings import ItemKnnSettings
from tests.recall.small_shop import DAY, NO_INTERESTS, NOW, make_catalogue, make_query, make_source

VIEW = 2
sequences = st.lists(st.lists(st.integers(1, 6), max_size=9), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * 6, out_of_stock=[6])


def source_of(catalogue, sequences):
    return make_source(
        catalogue,
        [
            (user, item, VIEW, NOW - DAY + place)
            for user, items in enumerate(sequences, start=1)
            for place, item in enumerate(items)
        ],
    )


def similarities(sequences, settings):
    """The formula by loops."""
    behaviours = [[i for at, i in enumerate(s) if at == 0 or s[at - 1] != i] for s in sequences]
    count = np.bincount([i for s in behaviours for i in s], minlength=7) + RARE_BEHAVIOURS
    found: dict[tuple[int, int], float] = {}
    for s in behaviours:
        for p, i in enumerate(s):
            for q, j in enumerate(s):
                if i != j and j != 6 and abs(q - p) <= settings.reach:
                    value = 1 / (1 + (abs(q - p) - 1) / settings.distance_scale)
                    value *= settings.backward_weight if q < p else 1
                    value /= count[i] ** settings.trigger_exponent * count[j] ** settings.popularity_exponent
                    found[i, j] = found.get((i, j), 0) + value
    return found


@given(sequences=sequences, reach=st.integers(1, 4), per_block=st.sampled_from([1_000, 4_000_000]))
def test_similarities_are_those_of_the_formula_in_blocks_of_any_size(catalogue, sequences, reach, per_block):
    settings = ItemKnnSettings(reach=reach, pairs_per_block=per_block)
    lists = sequence_neighbours(source_of(catalogue, sequences), settings)
    rows = np.repeat(np.arange(lists.rows), np.diff(lists.offsets))
    found = {
        (int(row), int(item)): float(score)
        for row, item, score in zip(rows, lists.items, lists.scores, strict=True)
    }
    assert found == pytest.approx(similarities(sequences, settings), rel=1e-4)


def channel_of(catalogue, sequences, folder, **settings):
    chosen = ItemKnnSettings(**settings)
    item_knn.build(source_of(catalogue, sequences), folder, chosen)
    return item_knn.open_channel(folder, catalogue, NO_INTERESTS, chosen)


def test_the_latest_item_counts_most(catalogue, tmp_path):
    channel = channel_of(catalogue, [[1, 2], [3, 4]], tmp_path)
    query = make_query([(3, VIEW, NOW - 10), (1, VIEW, NOW - 20)])
    recalled = asyncio.run(channel.recall(query, 10))
    assert recalled.items.tolist() == [4, 2]
    assert recalled.triggers.tolist() == [3, 1]
    assert recalled.scores[1] / recalled.scores[0] == pytest.approx(np.exp(-1 / 2), rel=1e-3)


def test_items_of_one_moment_count_alike(catalogue, tmp_path):
    channel = channel_of(catalogue, [[1, 2], [3, 4]], tmp_path)
    query = make_query([(3, VIEW, NOW - 10), (1, VIEW, NOW - 10)])
    scores = asyncio.run(channel.recall(query, 10)).scores
    assert scores[0] == pytest.approx(scores[1])


def test_a_page_about_an_item_is_answered_by_that_item_alone(catalogue, tmp_path):
    channel = channel_of(catalogue, [[1, 2], [3, 4]], tmp_path)
    query = make_query([(3, VIEW, NOW - 10)]).about(np.array([1], np.int32))
    assert asyncio.run(channel.recall(query, 10)).items.tolist() == [2]
