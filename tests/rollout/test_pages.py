"""Single requests by two versions: how far they differ, whom they belong to, and what shares of them say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall.query import Query
from rollout.errors import StatisticsError
from rollout.judging.check_context import CheckContext
from rollout.judging.check_pages import pages as check_pages
from rollout.judging.check_results import Check
from rollout.judging.settings import PageCheckSettings
from rollout.page_bounds import PageBounds
from rollout.page_counts import MAX_GROUPS, PageCounts
from rollout.page_difference import BOUNDS, outside, page_difference
from rollout.request_groups import groups_of

SETTINGS = PageCheckSettings()
OUT, IN = (True,) * len(BOUNDS), (False,) * len(BOUNDS)


def scores(n: int = 300, seed: int = 1) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(-2.0, 1.0, n)
    return (1.0 / (1.0 + np.exp(-drawn))).astype(np.float32)


def beyond(candidate: np.ndarray, stable: np.ndarray | None = None) -> set[str]:
    difference = page_difference(scores() if stable is None else stable, candidate.astype(np.float32), 20)
    assert difference is not None
    return {name for name, one in zip(BOUNDS, outside(difference, PageBounds()), strict=True) if one}


def shifted(by: float) -> np.ndarray:
    odds = scores() / (1 - scores()) * np.exp(by)
    return odds / (1 + odds)


def test_a_request_is_beyond_the_bounds_that_its_fault_concerns() -> None:
    stable = scores()
    order = np.argsort(stable)
    reverse = np.empty_like(stable)
    reverse[order] = stable[order][::-1]
    assert beyond(stable) == set()
    assert beyond(shifted(0.5)) == set()
    assert beyond(shifted(2.0)) == beyond(shifted(-2.0)) == {"shift"}
    assert beyond(reverse) == {"overlap", "order", "best"}
    assert {"order", "spread"} <= beyond(np.full(300, stable.mean()))
    boosted = stable.copy()
    boosted[order[100]] = 0.999
    assert beyond(boosted) == {"best"}


@given(n=st.integers(2, 60), seed=st.integers(0, 1_000))
def test_reversed_orders_are_seen_at_any_length_and_equal_ones_never(n: int, seed: int) -> None:
    stable = scores(n, seed)
    reverse = np.empty_like(stable)
    reverse[np.argsort(stable)] = np.sort(stable)[::-1]
    assert beyond(stable, stable) == set()
    # With a few candidates chance alone may reverse an order.
    assert ("order" in beyond(reverse, stable)) == (n >= 6)


def test_scores_without_an_order_are_no_fault_where_the_stable_version_has_none() -> None:
    assert beyond(scores(50), np.full(50, 0.1, np.float32)) >= {"spread"}
    assert "order" not in beyond(scores(50), np.full(50, 0.1, np.float32))
    assert page_difference(scores(1), scores(1), 20) is None
    with pytest.raises(ValueError, match="same candidates"):
        page_difference(scores(3), scores(4), 20)


def test_groups_are_few_whatever_a_caller_writes() -> None:
    codes = np.array([0, 3, 99, 0], np.int32)
    query = Query(
        scene="cart",
        now=1,
        user_id="ann",
        history_items=np.ones(12, np.int32),
        profile={"age_band": "35-44", "city": "x" * 1_000},
        profile_codes=codes,
    )
    assert groups_of(query, 150) == (
        "scene=cart",
        "candidates=100-199",
        "shopper=known",
        "history=10-49",
        "gender=unknown",
        "age_band=35-44",
        "city=other",
        "purchasing_power=unknown",
    )
    nobody = groups_of(Query(scene="home", now=1), 300)
    assert {"shopper=anonymous", "history=0", "candidates=300+"} <= set(nobody)
    counts = PageCounts()
    for number in range(3 * MAX_GROUPS):
        counts.observe(f"shopper {number}", [f"scene={number}"], IN)
    assert (len(counts.groups), counts.count) == (MAX_GROUPS, 3 * MAX_GROUPS)


def test_what_replicas_counted_is_read_again_and_adds_up() -> None:
    one, two = PageCounts(), PageCounts()
    one.observe("ann", ["scene=home"], OUT)
    two.observe("bob", ["scene=cart"], IN)
    two.observe("bob", ["scene=home"], IN)
    one.add(PageCounts.decode(two.encode()))
    assert (one.count, one.outside, one.by_bound["order"]) == (3, 1, 1)
    assert {name: int(counts[1].sum()) for name, counts in one.groups.items()} == {
        "scene=cart": 1,
        "scene=home": 2,
    }
    for damaged in (one.encode()[:-1], b"", b"\x90"):
        with pytest.raises(StatisticsError):
            PageCounts.decode(damaged)


def checked(observed: PageCounts, alpha: float = 0.05 / 7) -> Check:
    numbers = (observed.count, observed.count)
    return check_pages(observed, SETTINGS, CheckContext(alpha, 100, numbers, 20, (100, 100)))


def counted(requests: int, share: float, small: float = 0.0, seed: int = 1) -> PageCounts:
    """Requests beyond the bounds: a share of those of a large group, and of those of one of 2 %."""
    random = np.random.default_rng(seed)
    observed = PageCounts()
    for number in range(requests):
        rare = random.random() < 0.02
        one = random.random() < (small if rare else share)
        observed.observe(
            f"shopper {number % 300}", ["scene=rare" if rare else "scene=home"], OUT if one else IN
        )
    return observed


def test_shares_are_judged_in_all_and_by_group() -> None:
    assert checked(PageCounts()).verdict == "inconclusive"
    assert checked(counted(60, 0.0)).verdict == "inconclusive"
    assert checked(counted(1_000, 0.0)).verdict == "pass"
    assert checked(counted(1_000, 0.08)).verdict == "fail"
    hidden = checked(counted(2_000, 0.0, 0.9))
    assert hidden.verdict == "fail"
    assert "of scene=rare" in hidden.reason
    assert hidden.figures["outside"] < 0.025


def test_good_candidates_are_seldom_failed_however_often_one_looks() -> None:
    failed = 0
    for seed in range(25):
        random = np.random.default_rng(seed)
        observed = PageCounts()
        for number in range(1_500):
            groups = [f"scene={random.integers(3)}", f"history={random.integers(4)}"]
            observed.observe(f"shopper {random.integers(400)}", groups, OUT if random.random() < 0.02 else IN)
            if number % 50 == 49 and checked(observed, 0.05).verdict == "fail":
                failed += 1
                break
    # At the edge of what is tolerated at most 5 % may ever fail.
    assert failed <= 4
