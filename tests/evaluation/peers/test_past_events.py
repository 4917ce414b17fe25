"""Events and visits before a cut."""

from __future__ import annotations

import numpy as np

from evaluation.peers.past_events import PastEvents, Visits
from tests.evaluation.peers.small_past import NOW, past_of
from tests.models.small_log import START, random_log


def test_the_past_is_every_behaviour_strictly_before_the_cut() -> None:
    log = random_log(5, users=8, events=300)
    cut = int(np.sort(log.behaviours.ts)[150])
    past = PastEvents.before(log, cut)
    early = log.behaviours.ts < cut
    assert cut > START
    assert 0 < early.sum() < len(log.behaviours)
    assert past.item.tolist() == log.behaviours.item[early].tolist()
    for user in range(9):
        assert past.items_of(user).tolist() == past.item[past.user == user].tolist()


def test_a_visit_is_a_shoppers_day_with_distinct_items() -> None:
    visits = Visits.of(past_of([(1, 2, 3), (1, 2, 3), (1, 4, 3), (1, 2, 1), (3, 2, 1)], 4))
    assert visits.user.tolist() == [1, 1, 3]
    assert visits.age_days.tolist() == [2.5, 0.5, 0.5]
    assert visits.in_visit.toarray()[:, [2, 4]].tolist() == [[1, 1], [1, 0], [1, 0]]
    assert visits.by_shopper(np.array([10.0, 1.0, 5.0])).toarray()[:, [2, 4]].tolist() == [
        [0, 0],
        [11, 10],
        [0, 0],
        [5, 0],
    ]
    assert visits.popularity(2.0)[4] == 0.5 ** (2.5 / 2)


def test_nothing_before_the_cut_makes_no_visit() -> None:
    past = past_of([], 3, users=2)
    visits = Visits.of(past)
    assert past.users == 2
    assert past.now == NOW
    assert visits.in_visit.shape == (0, 4)
    assert visits.popularity(1.0).tolist() == [0, 0, 0, 0]
