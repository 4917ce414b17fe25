import asyncio
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recall import ranki2i
from recall.lists import ItemLists
from recall.ranki2i_settings import Ranki2iSettings
from tests.recall.small_shop import (
    DAY,
    NO_INTERESTS,
    NOW,
    assert_well_formed,
    make_catalogue,
    make_query,
    make_source,
)

CATEGORIES = (1, 1, 1, 2, 2, 3, 0)
ITEMS = len(CATEGORIES)
OUT_OF_STOCK = 5
PURCHASE, VIEW, IMPRESSION = 5, 2, 1
BEHAVIOUR_SCORE = {VIEW: 2.52, PURCHASE: 4.7}

# Each (shopper, item) once, so that the behaviour score is that of one event.
logs = st.dictionaries(
    st.tuples(st.integers(1, 5), st.integers(1, ITEMS)),
    st.tuples(st.sampled_from([VIEW, PURCHASE]), st.integers(0, 20 * DAY)),
    min_size=1,
    max_size=25,
)
PLAIN = Ranki2iSettings(complete_below=0, shortlist=100)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES, [OUT_OF_STOCK])


def events_of(log):
    return [(user, item, event, NOW - age) for (user, item), (event, age) in log.items()]


def opened(catalogue, events, folder, options):
    ranki2i.build(make_source(catalogue, events), folder, options)
    return ranki2i.open_channel(folder, catalogue, NO_INTERESTS, options)


def reference_score(log, catalogue, options: Ranki2iSettings, i: int, j: int) -> float:
    """The formulas of `recall.ranki2i_build`, one pair at a time."""
    shoppers = {user for user, _ in log}
    items_of = {user: sum(at == user for at, _ in log) for user in shoppers}

    def score(user: int, item: int) -> float:
        return BEHAVIOUR_SCORE[log[user, item][0]]

    def time(user: int, item: int) -> int:
        return NOW - log[user, item][1]

    pair = 0.0
    for user in shoppers:
        if (user, i) in log and (user, j) in log:
            gap = time(user, j) - time(user, i)
            decay = 1 / (1 + abs(gap) / (options.time_scale_hours * 3600))
            if gap < 0:
                decay *= options.backward_weight
            pair += score(user, i) * score(user, j) * decay / math.log(1 + items_of[user])

    def mass(item: int) -> float:
        return sum(score(u, item) ** 2 / math.log(1 + items_of[u]) for u in shoppers if (u, item) in log)

    if not pair or not catalogue.in_stock[j]:
        return 0.0
    similarity = pair / (mass(i) * mass(j)) ** options.popularity_exponent
    if catalogue.category[i] == catalogue.category[j] > 0:
        similarity *= 1 + options.same_category_boost

    def follows(a: int, b: int) -> int:
        window = options.follow_window_hours * 3600
        return sum(
            (u, a) in log and (u, b) in log and 0 <= time(u, b) - time(u, a) <= window for u in shoppers
        )

    took = sum((u, i) in log for u in shoppers)
    followed = sum(follows(a, j) for a in range(1, ITEMS + 1) if a != j)
    prior = (followed + 1) / (len(log) + ITEMS)
    rate = (follows(i, j) + options.rate_prior * prior) / (took + options.rate_prior)
    return similarity * rate**options.rate_exponent


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    log=logs, beta=st.floats(0, 1), gamma=st.sampled_from([0.0, 0.5, 1.0]), block=st.integers(1_000, 5_000)
)
def test_neighbours_are_those_of_the_formula(catalogue, tmp_path_factory, log, beta, gamma, block):
    options = PLAIN.model_copy(
        update={"popularity_exponent": beta, "rate_exponent": gamma, "pairs_per_block": block}
    )
    folder = tmp_path_factory.mktemp("tables")
    ranki2i.build(make_source(catalogue, events_of(log)), folder, options)
    neighbours = ItemLists.open(folder, "neighbours", ITEMS + 1)

    actual, expected = np.zeros((2, ITEMS + 1, ITEMS + 1))
    items, scores, rows = neighbours.gather(np.arange(ITEMS + 1))
    actual[rows, items] = scores
    for i in range(1, ITEMS + 1):
        for j in range(1, ITEMS + 1):
            if i != j:
                expected[i, j] = reference_score(log, catalogue, options, i, j)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-7)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    log=logs,
    triggers=st.lists(st.integers(1, ITEMS), unique=True, max_size=4),
    k=st.integers(1, 8),
    merge=st.sampled_from(["sum", "max"]),
    complete_below=st.sampled_from([0, 2, 50]),
)
def test_asking_merges_the_triggers_lists(
    catalogue, tmp_path_factory, log, triggers, k, merge, complete_below
):
    options = Ranki2iSettings(merge=merge, complete_below=complete_below)
    folder = tmp_path_factory.mktemp("tables")
    channel = opened(catalogue, events_of(log), folder, options)
    weights = [1.0 / (1 + at) for at in range(len(triggers))]
    query = make_query(triggers=triggers, weights=weights)
    recalled = asyncio.run(channel.recall(query, k))
    assert_well_formed(recalled, k, triggers)

    neighbours = ItemLists.open(folder, "neighbours", ITEMS + 1)
    completion = ItemLists.open(folder, "completion", catalogue.category_count + 1)
    shares: dict[int, dict[int, list[float]]] = {}
    for trigger, weight in zip(triggers, weights, strict=True):
        lists = [(neighbours, trigger)]
        if neighbours.lengths(np.array([trigger]))[0] < complete_below:
            lists.append((completion, catalogue.category[trigger]))
        for table, row in lists:
            for item, score, _ in zip(*table.gather(np.array([row])), strict=True):
                if item != trigger:
                    shares.setdefault(int(item), {}).setdefault(trigger, []).append(float(score) * weight)
    total = {
        item: (sum if merge == "sum" else max)(share for all_of in by.values() for share in all_of)
        for item, by in shares.items()
    }
    best = sorted(total.values(), reverse=True)[:k]
    np.testing.assert_allclose(recalled.scores, best, rtol=1e-5)
    for item, score, trigger in zip(*recalled[:3], strict=True):
        assert score == pytest.approx(total[int(item)], rel=1e-5)
        largest = max(share for all_of in shares[int(item)].values() for share in all_of)
        assert max(shares[int(item)][int(trigger)]) == pytest.approx(largest, rel=1e-5)


def test_lists_are_cut_to_the_best_neighbours(catalogue, tmp_path):
    log = [(user, item, PURCHASE, NOW) for user in (1, 2) for item in range(1, ITEMS + 1)]
    folder, cut = tmp_path / "all", tmp_path / "cut"
    folder.mkdir()
    cut.mkdir()
    opened(catalogue, log, folder, PLAIN)
    opened(catalogue, log, cut, PLAIN.model_copy(update={"neighbours": 2}))
    everything = ItemLists.open(folder, "neighbours", ITEMS + 1)
    best = ItemLists.open(cut, "neighbours", ITEMS + 1)
    for item in range(1, ITEMS + 1):
        np.testing.assert_array_equal(
            best.gather(np.array([item]))[1], everything.gather(np.array([item]))[1][:2]
        )


def test_only_the_latest_items_of_a_shopper_are_paired(catalogue, tmp_path):
    log = [(1, item, VIEW, NOW - (ITEMS - item) * DAY) for item in range(1, ITEMS + 1)]
    channel = opened(catalogue, log, tmp_path, PLAIN.model_copy(update={"items_per_user": 2}))
    assert asyncio.run(channel.recall(make_query(triggers=[1]), 9)).items.tolist() == []
    assert asyncio.run(channel.recall(make_query(triggers=[ITEMS]), 9)).items.tolist() == [ITEMS - 1]


def test_a_trigger_nobody_shares_is_completed_from_its_category(catalogue, tmp_path):
    log = [(1, 1, VIEW, NOW), (2, 2, PURCHASE, NOW), (3, 3, VIEW, NOW), (4, 4, VIEW, NOW)]
    channel = opened(catalogue, log, tmp_path, Ranki2iSettings())
    recalled = asyncio.run(channel.recall(make_query(triggers=[1]), 9))
    assert recalled.items.tolist() == [2, 3]
    assert recalled.triggers.tolist() == [1, 1]


def test_completion_stays_below_a_real_neighbour(catalogue, tmp_path):
    log = [(1, 1, VIEW, NOW), (1, 3, VIEW, NOW), (2, 2, PURCHASE, NOW), (3, 2, PURCHASE, NOW)]
    channel = opened(catalogue, log, tmp_path, Ranki2iSettings())
    assert asyncio.run(channel.recall(make_query(triggers=[1]), 9)).items.tolist()[0] == 3


def test_related_categories_lend_their_hottest(catalogue, tmp_path):
    # Categories 1 and 2 are shared by shopper 1; item 6, of category 3, is nobody's companion.
    log = [(1, 2, VIEW, NOW), (1, 4, VIEW, NOW), (2, 1, VIEW, NOW), (3, 6, VIEW, NOW)]
    channel = opened(catalogue, log, tmp_path, Ranki2iSettings())
    assert set(asyncio.run(channel.recall(make_query(triggers=[1]), 9)).items.tolist()) == {2, 4}
    alone = Ranki2iSettings(related_categories=0)
    (tmp_path / "alone").mkdir()
    channel = opened(catalogue, log, tmp_path / "alone", alone)
    assert asyncio.run(channel.recall(make_query(triggers=[1]), 9)).items.tolist() == [2]


def test_clicked_impressions_lift_a_target(catalogue, tmp_path):
    # Targets 2 and 3 go equally well with 1; after it both are shown, only 3 is clicked.
    log = []
    for user in range(1, 9):
        start = NOW - 10 * DAY
        target = 2 if user % 2 else 3
        log += [(user, 1, VIEW, start), (user, target, VIEW, start + 2 * DAY)]
        shown = start + (2 * DAY - 60 if target == 3 else 5 * DAY)
        log.append((user, target, IMPRESSION, shown))
    channel = opened(catalogue, log, tmp_path, PLAIN)
    recalled = asyncio.run(channel.recall(make_query(triggers=[1]), 9))
    assert recalled.items.tolist() == [3, 2]
    assert recalled.scores[0] > recalled.scores[1]


def test_no_trigger_recalls_nothing(catalogue, tmp_path):
    channel = opened(catalogue, [(1, 1, VIEW, NOW), (1, 2, VIEW, NOW)], tmp_path, Ranki2iSettings())
    assert_well_formed(recalled := asyncio.run(channel.recall(make_query(), 9)), 0, [])
    assert len(recalled.items) == 0


def test_a_log_without_behaviours_builds_empty_tables(catalogue, tmp_path):
    channel = opened(catalogue, [(1, 1, IMPRESSION, NOW)], tmp_path, Ranki2iSettings())
    assert len(asyncio.run(channel.recall(make_query(triggers=[1]), 9)).items) == 0
