"""The smallest weight of popularity that keeps pages apart: none where they differ anyway."""

from __future__ import annotations

import numpy as np

from evaluation.anchor_spread import ScoredPage, popularity_weight
from evaluation.page_metrics import overlap_of
from router.ranking.anchor_ranker.order import LogOddsParts, order

BESTSELLERS = np.arange(1, 21, dtype=np.int32)


def page(number: int, lead: float, own: float = 0.0) -> ScoredPage:
    """Ten items of its own and the bestsellers, which lead by so many log-odds; `own` says of them."""
    items = np.r_[BESTSELLERS, np.arange(100 + 10 * number, 110 + 10 * number)].astype(np.int32)
    best = items <= 20
    log_odds = np.where(best, lead, 0.0) - 0.001 * np.arange(items.size)
    parts = LogOddsParts(log_odds.astype(np.float32), np.where(best, own, 0.0).astype(np.float32))
    return ScoredPage(items, parts, np.where(best, 2_000, 20))


def draw(lead: float, own: float = 0.0) -> list[ScoredPage]:
    return [page(number, lead, own) for number in range(12)]


def test_pages_that_differ_by_themselves_lose_no_popularity() -> None:
    assert popularity_weight([draw(-1.0)], 1.0, 0.1, 0.7) == 0.0
    assert popularity_weight([], 1.0, 0.1, 0.7) == 0.0
    nothing = ScoredPage(
        np.empty(0, np.int32),
        LogOddsParts(np.empty(0, np.float32), np.empty(0, np.float32)),
        np.empty(0, np.int64),
    )
    assert popularity_weight([[nothing, nothing]], 1.0, 0.1, 0.7) == 0.0


def test_the_weight_is_the_smallest_that_takes_the_bestsellers_off() -> None:
    found = popularity_weight([draw(1.0)], 1.0, 0.1, 0.7)
    assert 0 < found < 1
    heads = {}
    for weight in (found, found - 0.05):
        values = [order(each.parts, each.baskets, 1.0, weight) for each in draw(1.0)]
        heads[weight] = [
            each.items[np.argsort(-value)[:10]] for each, value in zip(draw(1.0), values, strict=True)
        ]
    assert overlap_of(heads[found]) <= 0.1 < overlap_of(heads[found - 0.05])
    assert popularity_weight([draw(2.0)], 1.0, 0.1, 0.7) > found
    assert popularity_weight([draw(9.0)], 1.0, 0.1, 0.7) == 1.0


def test_what_the_scene_takes_off_for_habits_needs_no_second_time() -> None:
    assert popularity_weight([draw(1.0, own=2.0)], 0.0, 0.1, 0.7) == 0.0
    assert popularity_weight([draw(1.0, own=2.0)], 1.0, 0.1, 0.7) > 0


def test_a_mean_over_draws_counts() -> None:
    few_alike = [draw(-1.0)] * 9 + [draw(1.0)]
    assert popularity_weight(few_alike, 1.0, 0.1, 0.7) == 0.0
    assert popularity_weight(few_alike, 1.0, 0.01, 0.7) > 0
