"""Naive Bayes, shortest paths, SVD and RBM: against plain forms of their formulas, and what they find."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall import naive_bayes, rbm, shortest_path, svd
from recall.channel import NothingToRecall
from recall.naive_bayes import NaiveBayesSettings
from recall.rbm_settings import RbmSettings
from recall.shortest_path import ShortestPathSettings
from recall.svd_settings import SvdSettings
from tests.recall.small_shop import NO_INTERESTS, NOW, make_catalogue, make_query, make_source

VIEW, PURCHASE = 2, 5
SIZE = 8
FORMS = {naive_bayes: {}, shortest_path: {}, svd: {"epochs": 2}, rbm: {"epochs": 2}}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * SIZE)


def log_of(taken):
    return [(user, item, PURCHASE, item * 60) for user, items in enumerate(taken, start=1) for item in items]


def built(module, catalogue, folder, log, seed=0, **chosen):
    configured = module.CHANNEL.settings(**chosen)
    module.build(replace(make_source(catalogue, log), seed=seed), folder, configured)
    return module.open_channel(folder, catalogue, NO_INTERESTS, configured)


def ask(channel, *items, k=SIZE):
    return asyncio.run(channel.recall(make_query([(item, PURCHASE, NOW) for item in items]), k))


@settings(max_examples=6, deadline=None)
@given(
    taken=st.lists(st.sets(st.integers(1, SIZE), min_size=2), min_size=1, max_size=8),
    prior=st.sampled_from([0.5, 20.0]),
)
def test_naive_bayes_is_the_sum_of_its_probabilities(catalogue, tmp_path_factory, taken, prior):
    channel = built(naive_bayes, catalogue, tmp_path_factory.mktemp("nb"), log_of(taken), prior=prior)
    x = np.zeros((len(taken), SIZE + 1))
    for row, items in enumerate(taken):
        x[row, list(items)] = 1
    count, pairs = x.sum(axis=0), x.T @ x
    own = sorted(taken[0])[:2]
    answer = ask(channel, *own)
    for item, score in zip(answer.items.tolist(), answer.scores.tolist(), strict=True):
        expected = np.log(count[item] / len(taken))
        for cause in own:
            share = count[cause] / len(taken)
            # An item adds nothing to itself but what its prior says.
            both = 0 if cause == item else pairs[cause, item]
            expected += np.log((both + prior * share) / (count[item] + prior) / share)
        assert score == pytest.approx(expected, abs=1e-4)
    beside = {item for items in taken for item in items if set(own) & (items - {item})}
    assert set(answer.items.tolist()) == beside


def plain_distances(edges, start):
    """Dijkstra in a few lines: item → length."""
    done, queue = {}, [(0.0, start)]
    while queue:
        length, item = heapq.heappop(queue)
        if item in done:
            continue
        done[item] = length
        for other, more in edges.get(item, []):
            heapq.heappush(queue, (length + more, other))
    return done


@settings(max_examples=6, deadline=None)
@given(sessions=st.lists(st.permutations(range(1, SIZE + 1)), min_size=1, max_size=5))
def test_shortest_paths_are_those_of_a_plain_search(catalogue, tmp_path_factory, sessions):
    sessions = [session[:4] for session in sessions]
    log = [
        (user, item, PURCHASE, place * 60)
        for user, session in enumerate(sessions, start=1)
        for place, item in enumerate(session)
    ]
    channel = built(
        shortest_path, catalogue, tmp_path_factory.mktemp("sp"), log, reach=1, backward_weight=0.5
    )
    weight = np.zeros((SIZE + 1, SIZE + 1))
    for session in sessions:
        for first, second in pairwise(session):
            weight[first, second] += 1
            weight[second, first] += 0.5
    edges = {
        item: [(other, 0.5 - np.log(weight[item, other] / weight[item].sum())) for other in others]
        for item in range(1, SIZE + 1)
        if (others := np.flatnonzero(weight[item]).tolist())
    }
    start = sessions[0][0]
    expected = {
        item: np.exp(-length) for item, length in plain_distances(edges, start).items() if length <= 12
    }
    del expected[start]
    answer = ask(channel, start)
    assert dict(zip(answer.items.tolist(), answer.scores.tolist(), strict=True)) == pytest.approx(
        expected, rel=1e-4
    )


TWO_CROWDS = [{1, 2, 3, 4}, {5, 6, 7, 8}] * 12 + [{1, 2, 3}, {5, 6, 7}] * 4


@pytest.mark.parametrize(
    ("module", "chosen"),
    [
        (naive_bayes, {}),
        (shortest_path, {}),
        pytest.param(svd, {"factors": 4, "epochs": 60, "learning_rate": 0.02}, marks=pytest.mark.slow),
        pytest.param(
            svd,
            {"factors": 4, "epochs": 60, "learning_rate": 0.02, "implicit_items": False},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            rbm,
            {"hidden": 4, "epochs": 60, "learning_rate": 0.1, "batch_users": 8},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_the_same_shoppers_take_comes_first(catalogue, tmp_path, module, chosen):
    channel = built(module, catalogue, tmp_path, log_of(TWO_CROWDS), **chosen)
    assert set(ask(channel, 1, 2, k=4).items.tolist()) <= {1, 2, 3, 4}
    assert set(ask(channel, 6, 7, k=4).items.tolist()) <= {5, 6, 7, 8}


@pytest.mark.slow
def test_a_folded_in_shopper_solves_the_ridge_regression(catalogue, tmp_path):
    channel = built(svd, catalogue, tmp_path, log_of(TWO_CROWDS), factors=3, epochs=3, fold_in=0.7)
    q, y, b = channel._factors, channel._taken, channel._bias
    own = [1, 4]
    rows = [item - 1 for item in own]
    added = y[rows].sum(axis=0) / np.sqrt(2)
    left = q[rows].T @ q[rows] + 0.7 * np.eye(3)
    p = np.linalg.solve(left, q[rows].T @ (1 - b[rows] - q[rows] @ added))
    expected = b + q @ (p + added)
    answer = ask(channel, *own)
    np.testing.assert_allclose(answer.scores, expected[answer.items - 1], atol=1e-5)
    assert answer.items.tolist() == (1 + np.argsort(-expected)).tolist()


@pytest.mark.slow
def test_a_view_and_a_purchase_are_two_states(catalogue, tmp_path):
    views = [(user, 1, VIEW, 60) for user in range(1, 30)] + [(user, 2, VIEW, 90) for user in range(1, 30)]
    bought = [(user, item, PURCHASE, 90) for user in range(30, 60) for item in (1, 3)]
    channel = built(rbm, catalogue, tmp_path, views + bought, hidden=4, epochs=60, batch_users=10)
    seen = asyncio.run(channel.recall(make_query([(1, VIEW, NOW)]), SIZE))
    own = asyncio.run(channel.recall(make_query([(1, PURCHASE, NOW)]), SIZE))
    place = {name: answer.items.tolist() for name, answer in (("seen", seen), ("own", own))}
    assert place["seen"].index(2) < place["seen"].index(3)
    assert place["own"].index(3) < place["own"].index(2)


@pytest.mark.slow
@pytest.mark.parametrize("module", list(FORMS))
def test_the_same_log_and_seed_give_the_same_tables(catalogue, tmp_path, module):
    chosen = FORMS[module]
    files = []
    for name, seed in (("a", 1), ("b", 1)):
        (tmp_path / name).mkdir()
        built(module, catalogue, tmp_path / name, log_of(TWO_CROWDS), seed=seed, **chosen)
        files.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert files[0] == files[1]


@pytest.mark.parametrize("module", list(FORMS))
def test_nothing_to_learn_from_switches_off(catalogue, tmp_path, module):
    source = make_source(catalogue, [(1, 1, PURCHASE, 0), (2, 2, PURCHASE, 0)])
    with pytest.raises(NothingToRecall):
        module.build(source, tmp_path, module.CHANNEL.settings())


def test_the_settings_bound_what_a_request_compares():
    assert NaiveBayesSettings(max_items=200_000).max_items == 200_000
    for form in (NaiveBayesSettings, ShortestPathSettings, SvdSettings, RbmSettings):
        with pytest.raises(ValueError, match="max_items"):
            form(max_items=1_000_000)
