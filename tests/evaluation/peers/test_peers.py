"""Peers on logs where the right answer is obvious or computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.baselines import ItemCf
from evaluation.peer_settings import (
    AlsSettings,
    BoostedCountsSettings,
    EaseSettings,
    PeersSettings,
    SessionKnnSettings,
    TifuKnnSettings,
)
from evaluation.peers.als import Als
from evaluation.peers.boosted_counts import BoostedCounts
from evaluation.peers.ease import Ease
from evaluation.peers.fit import fit_peers
from evaluation.peers.item_cf_history import ItemCfHistory
from evaluation.peers.past_events import DAY, PastEvents, Visits
from evaluation.peers.peer import Peer, peer_pages
from evaluation.peers.personal_frequency import PersonalFrequency
from evaluation.peers.session_knn import SessionKnn
from evaluation.peers.tifu_knn import TifuKnn, visit_weights
from evaluation.settings import ItemCfSettings
from models.interaction_log import InteractionLog
from tests.evaluation.peers.small_past import past_of
from tests.evaluation.test_baselines import CUT, log_of
from tests.models.small_log import random_log

FIRST = np.array([1], np.int32)
BUYERS_OF_PAIRS = [
    *[(user, item, age) for user in (1, 2, 3) for item in (1, 2) for age in (2, 4)],
    *[(user, item, age) for user in (4, 5, 6) for item in (3, 4) for age in (2, 4)],
]
"""Shoppers 1 to 3 take items 1 and 2, shoppers 4 to 6 items 3 and 4; then shopper 7 takes item 3."""


def page_of(peer: Peer, past: PastEvents, user: int, size: int = 3) -> list[int]:
    popularity = Visits.of(past).popularity(30.0)
    shown = np.ones(past.items + 1, bool)
    (page,) = peer_pages(peer, np.array([user], np.int32), popularity, shown, size)
    return [int(item) for item in page]


def test_frequency_counts_visits_and_falls_back_to_everybody() -> None:
    rows = [(1, 5, 40), (1, 5, 30), (1, 5, 20), (1, 4, 2), (1, 4, 1), (2, 6, 1), (3, 6, 1), (2, 3, 1)]
    past = past_of(rows, 6, users=4)
    visits = Visits.of(past)
    assert page_of(PersonalFrequency.fit(visits), past, 1) == [5, 4, 6]
    # Two of the last days outweigh three of a month ago.
    assert page_of(PersonalFrequency.fit(visits, 7.0), past, 1) == [4, 5, 6]
    # Somebody without a past gets what everybody takes: items 6 and 4, twice each, the newer first.
    assert page_of(PersonalFrequency.fit(visits), past, 4)[:2] == [6, 4]


def test_ties_go_to_the_more_popular_and_hidden_items_stay_hidden() -> None:
    class Level:
        def scores(self, users: np.ndarray) -> np.ndarray:
            return np.full((len(users), 7), 1e6, np.float32)

    popularity = np.array([99, 1, 5, 3, 9, 2, 0.0])
    shown = np.array([True, True, True, True, False, True, True])
    (page,) = peer_pages(Level(), FIRST, popularity, shown, 3)
    assert page.tolist() == [2, 3, 5]
    (page,) = peer_pages(Level(), FIRST, popularity, shown, 30)
    assert page.tolist() == [2, 3, 5, 1, 6]


def test_item_cf_sees_the_whole_history() -> None:
    """Sixty newer events of item 3 push item 1 out of what a model sees, not out of what the peer does."""
    together = [(2, 1, 9), (2, 2, 9), (3, 1, 9), (3, 2, 9)]
    log = log_of([*together, (1, 1, 80), *[(1, 3, 2)] * 60], 4, [0, 0, 0, 0])
    item_cf = ItemCf.fit(log, CUT, ItemCfSettings(window_hours=24, category_weight=0))
    peer = ItemCfHistory.of(item_cf, PastEvents.before(log, CUT), 40.0)
    scores = peer.scores(np.array([1, 0], np.int32))
    assert scores[0, 1] == pytest.approx(0.5 ** (80 / 40), rel=1e-3)
    assert scores[0, 2] == pytest.approx(scores[0, 1] * item_cf.similarity[1, 2], rel=1e-3)
    assert scores[0, 3] == pytest.approx(60 * 0.5 ** (2 / 40), rel=1e-3)
    # The shopper 0 has no history: popularity alone orders.
    assert (
        np.argsort(-scores[1], kind="stable").tolist()
        == np.argsort(-item_cf.popularity, kind="stable").tolist()
    )


@pytest.mark.parametrize("groups", [1, 2, 3, 7])
def test_weights_of_visits_are_means_of_decayed_groups(groups: int) -> None:
    settings = TifuKnnSettings(groups=groups, within_decay=0.9, group_decay=0.5)
    user = np.repeat([2, 5], [5, 1]).astype(np.int32)
    weights = visit_weights(user, settings)
    parts = np.array_split(np.arange(5), min(groups, 5))
    expected = np.zeros(5)
    for number, visits in enumerate(_in_groups(5, min(groups, 5))):
        for position in visits:
            decay = 0.9 ** (visits[-1] - position) * 0.5 ** (len(parts) - 1 - number)
            expected[position] = decay / len(visits) / len(parts)
    assert weights[:5] == pytest.approx(expected)
    assert weights[5] == pytest.approx(1)


def _in_groups(visits: int, groups: int) -> list[list[int]]:
    return [[p for p in range(visits) if p * groups // visits == group] for group in range(groups)]


def test_tifu_knn_adds_what_similar_shoppers_take() -> None:
    past = past_of([*BUYERS_OF_PAIRS, (7, 3, 2)], 6)
    settings = TifuKnnSettings(neighbours=2, own_share=0.5, groups=1, within_decay=1.0)
    peer = TifuKnn.fit(Visits.of(past), settings)
    assert page_of(peer, past, 7, 2) == [3, 4]
    scores = peer.scores(np.array([7], np.int32))[0]
    # Its own one visit of item 3 and, from the two nearest, items 3 and 4 in every visit.
    assert scores[[1, 2, 3, 4]].tolist() == pytest.approx([0, 0, 1, 0.5])
    alone = TifuKnn.fit(Visits.of(past), settings.model_copy(update={"own_share": 1.0}))
    assert alone.scores(np.array([7], np.int32))[0].tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_session_knn_finds_what_is_in_similar_visits() -> None:
    past = past_of([*BUYERS_OF_PAIRS, (7, 3, 2)], 6)
    peer = SessionKnn.fit(Visits.of(past), SessionKnnSettings(neighbours=3, rarity=0.0))
    assert page_of(peer, past, 7, 2) == [3, 4]
    weight = 0.5 ** (1.5 / SessionKnnSettings().half_life_days)
    scores = peer.scores(np.array([7], np.int32))[0]
    # The nearest are its own visit, at cosine 1, and two of items 3 and 4 at √½, all of length 1.
    assert scores[3] == pytest.approx(weight * (1 + 2 * 0.5))
    assert scores[4] == pytest.approx(weight * 2 * 0.5)


def test_session_knn_compares_only_the_newest_visits() -> None:
    past = past_of([(1, 1, 1), (2, 1, 9), (2, 2, 9), (3, 1, 3), (3, 4, 3)], 4)
    peer = SessionKnn.fit(Visits.of(past), SessionKnnSettings(recent_visits=2))
    scores = peer.scores(FIRST)[0]
    assert scores[4] > 0
    assert scores[2] == 0


def test_ease_is_the_closed_form() -> None:
    past = past_of([(1, 1, 2), (1, 2, 2), (2, 1, 2), (2, 2, 1), (3, 3, 1), (3, 1, 5), (3, 1, 4)], 4)
    peer = Ease.fit(Visits.of(past), EaseSettings(regularisation=2.0))
    taken = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], float)
    inverse = np.linalg.inv(taken.T @ taken + 2 * np.eye(3))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = peer.scores(np.array([1, 2, 3], np.int32))
    np.testing.assert_allclose(scores[:, 1:4], taken @ weights, rtol=1e-5)
    assert (scores[:, [0, 4]] == 0).all()
    # Item 2 goes with item 1 more than item 3 does.
    assert scores[2, 2] > 0


def test_ease_leaves_out_what_few_take() -> None:
    past = past_of([(1, 1, 2), (1, 2, 2), (2, 1, 2), (2, 2, 1), (3, 3, 1), (3, 1, 5)], 4)
    peer = Ease.fit(Visits.of(past), EaseSettings(max_items=2))
    assert peer.scored.tolist() == [1, 2]
    assert peer.scores(np.array([3], np.int32))[0, 3] == 0


def test_als_gives_what_similar_shoppers_take() -> None:
    past = past_of([*BUYERS_OF_PAIRS, (7, 3, 1)], 4)
    peer = Als.fit(Visits.of(past), AlsSettings(factors=2, regularisation=0.05, confidence=10.0), seed=1)
    (scores,) = peer.scores(np.array([7], np.int32))
    assert scores[4] > max(scores[1], scores[2]) + 0.1
    assert scores[0] == 0
    nobody = Als.fit(
        Visits.of(past_of(BUYERS_OF_PAIRS, 4, users=9)),
        AlsSettings(factors=2, regularisation=0.05, confidence=10.0),
        seed=1,
    )
    assert not nobody.scores(np.array([9], np.int32)).any()


def test_boosted_counts_learn_what_is_taken_again() -> None:
    """Items 1 to 4 are taken weekly, items 5 to 8 once: who took both takes the weekly one again."""
    weekly = [(user, 1 + user % 4, age) for user in range(1, 61) for age in range(3, 60, 7)]
    once = [(user, 5 + user % 4, 30) for user in range(1, 61)]
    past = past_of([*weekly, *once], 8)
    settings = BoostedCountsSettings(popular=2, trees=20, least_in_leaf=5, learned_days=7.0)
    peer = BoostedCounts.fit(past, np.zeros(9, np.int32), settings, seed=1)
    assert peer is not None
    (scores,) = peer.scores(np.array([6], np.int32))
    assert scores[1 + 6 % 4] > 2 * scores[5 + 6 % 4]
    assert scores[0] == 0
    nothing = replace(past, now=past.now + 100 * DAY)
    assert BoostedCounts.fit(nothing, np.zeros(9, np.int32), settings, seed=1) is None


def test_every_peer_gives_everybody_a_page_and_sees_no_future() -> None:
    log = random_log(8, users=12, items=20, events=900)
    cut = int(np.sort(log.behaviours.ts)[400])
    pages = {name: _pages(log, cut, peer) for name, peer in _fitted(log, cut).items()}
    assert len(pages) == 9
    for shown in pages.values():
        for page in shown:
            assert len(set(page.tolist())) == len(page) == 10
            assert page.min() > 0
    behaviours = log.behaviours
    others = replace(behaviours, item=np.where(behaviours.ts >= cut, 1, behaviours.item).astype(np.int32))
    later = replace(log, behaviours=others)
    for name, peer in _fitted(later, cut).items():
        assert [p.tolist() for p in _pages(later, cut, peer)] == [p.tolist() for p in pages[name]], name


def _fitted(log: InteractionLog, cut: int) -> dict[str, Peer]:
    past = PastEvents.before(log, cut)
    item_cf = ItemCf.fit(log, cut, ItemCfSettings())
    # The log is shorter than the days that the boosted trees learn of by default.
    boosted = BoostedCountsSettings(trees=5, least_in_leaf=5)
    settings = PeersSettings(als=AlsSettings(factors=4), boosted_counts=boosted)
    return fit_peers(past, Visits.of(past), item_cf, settings, np.zeros(log.items + 1, np.int32), 1)


def _pages(log: InteractionLog, cut: int, peer: Peer) -> list[np.ndarray]:
    popularity = Visits.of(PastEvents.before(log, cut)).popularity(30.0)
    return peer_pages(peer, np.arange(13, dtype=np.int32), popularity, np.ones(log.items + 1, bool), 10)
