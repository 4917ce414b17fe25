"""Ease and matrix_factors: closed forms against plain ones."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall import ease, matrix_factors
from recall.channel import NothingToRecall
from recall.ease_build import item_weights
from recall.ease_settings import EaseChannelSettings
from recall.matrix_factors import MatrixFactors
from recall.matrix_factors_settings import MatrixFactorsSettings
from recall.vector_index import make_index
from tests.recall.small_shop import NOW, make_catalogue, make_query, make_source

PURCHASE = 5
SIZE = 8


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * SIZE)


@given(
    taken=st.lists(st.sets(st.integers(1, SIZE), min_size=2), min_size=1, max_size=8),
    strength=st.sampled_from([1.0, 20.0]),
)
def test_weights_of_ease_are_those_of_a_plain_inverse(catalogue, taken, strength):
    log = [(user, item, PURCHASE, item) for user, items in enumerate(taken, start=1) for item in items]
    lists = item_weights(make_source(catalogue, log), EaseChannelSettings(regularisation=strength))
    x = np.zeros((len(taken), SIZE + 1))
    for row, items in enumerate(taken):
        x[row, list(items)] = 1
    p = np.linalg.inv(x.T @ x + strength * np.eye(SIZE + 1))
    expected = -p / np.diag(p)
    np.fill_diagonal(expected, 0)
    found = np.zeros_like(expected)
    found[np.repeat(np.arange(SIZE + 1), np.diff(lists.offsets)), lists.items] = lists.scores
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=2e-4)


def test_ease_is_bound_to_the_most_taken_items(catalogue):
    log = [(user, item, PURCHASE, item) for user in (1, 2) for item in (1, 2)] + [(3, 1, PURCHASE, 1)]
    log += [(3, 5, PURCHASE, 2), (3, 6, PURCHASE, 3)]
    lists = item_weights(make_source(catalogue, log), EaseChannelSettings(max_items=2))
    assert set(lists.items.tolist()) == {1, 2}


def test_nothing_to_learn_from_switches_off(catalogue, tmp_path):
    source = make_source(catalogue, [(1, 1, PURCHASE, 0), (2, 2, PURCHASE, 0)])
    for channel in (ease, matrix_factors):
        with pytest.raises(NothingToRecall):
            channel.build(source, tmp_path, channel.CHANNEL.settings())


def test_a_shopper_is_folded_in_as_by_the_plain_formula():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(SIZE + 1, 4)).astype(np.float32)
    vectors[0] = 0
    settings = MatrixFactorsSettings()
    gram = vectors.T @ vectors + settings.regularisation * np.eye(4, dtype=np.float32)
    indexed = np.arange(1, SIZE + 1, dtype=np.int32)
    channel = MatrixFactors(make_index(vectors[1:], settings, 0), indexed, vectors, gram, settings)
    # Two items of one moment, whose weights are 1.
    recalled = asyncio.run(channel.recall(make_query([(2, PURCHASE, NOW), (5, PURCHASE, NOW)]), SIZE))
    wanted = np.zeros(SIZE + 1)
    wanted[[2, 5]] = 1
    confidence = np.diag(1 + settings.confidence * wanted)
    left = vectors.T @ confidence @ vectors + settings.regularisation * np.eye(4)
    shopper = np.linalg.solve(left, vectors.T @ confidence @ wanted)
    scores = vectors @ shopper
    np.testing.assert_array_equal(recalled.items, 1 + np.argsort(-scores[1:]))
    np.testing.assert_allclose(recalled.scores, np.sort(scores[1:])[::-1], rtol=1e-3, atol=1e-4)
    assert set(recalled.triggers.tolist()) <= {2, 5}


def test_without_the_library_the_build_says_what_to_install(catalogue, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    log = [(1, 1, PURCHASE, 0), (1, 2, PURCHASE, 0)]
    with pytest.raises(ValueError, match=r"shopfront\[factorisation\]"):
        matrix_factors.build(make_source(catalogue, log), tmp_path, MatrixFactorsSettings())
