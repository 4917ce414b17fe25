"""How much of their best items two versions have in common, and how sure one can be of it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from rollout.arm_statistics import CLUSTERS
from rollout.arms import Arm
from rollout.counting import ArmCounts, sum_counts
from rollout.errors import StatisticsError
from rollout.judging.check_context import CheckContext
from rollout.judging.check_distributions import overlap as overlap_check
from rollout.judging.check_results import Check
from rollout.judging.settings import OverlapCheckSettings
from rollout.overlap import Overlap, top_k_overlap

ROOMY = OverlapCheckSettings(minimum=0.3, min_requests=1)


def judged(users: int = 100) -> CheckContext:
    return CheckContext(
        alpha=0.05, min_requests=1, requests=(1_000, 1_000), min_users=20, users=(users, users)
    )


def checked(observed: Overlap, users: int = 100) -> Check:
    return overlap_check(observed, ROOMY, judged(users))


def shoppers(mean: float, spread: float, users: int, each: int, seed: int = 1) -> Overlap:
    """`each` requests of every shopper, whose overlaps lie `spread` around the mean and are all alike."""
    random = np.random.default_rng(seed)
    observed = Overlap()
    for user in range(users):
        own = float(np.clip(mean + spread * random.choice([-1.0, 1.0]), 0.0, 1.0))
        for _ in range(each):
            observed.observe(f"shopper-{seed}-{user}", own)
    return observed


def test_overlaps_are_summed_and_merged() -> None:
    one, two = Overlap(), Overlap()
    one.observe("ann", 0.5)
    two.observe("bob", 1.0)
    one.add(two)
    assert (one.mean(), one.count) == (0.75, 2)
    assert (one.totals.sum(), one.counts.sum()) == (1.5, 2)
    assert np.isnan(Overlap().mean())
    with pytest.raises(ValueError, match="share"):
        one.observe("ann", float("nan"))


def test_what_replicas_counted_is_read_again_and_adds_up() -> None:
    rows = []
    for name in ("r1", "r2"):
        counts = ArmCounts("bst-1-2-aa", name)
        counts.overlap(0, "ann", 0.25)
        counts.overlap(0, f"of {name}", 0.75)
        rows += counts.take_changed()
    found = sum_counts(rows, [0])
    assert (found.overlap.mean(), found.overlap.count) == (0.5, 4)
    assert found.candidate.requests == 0
    assert not found.overlap.counts[found.overlap.counts > 2].size
    damaged = [msgspec.structs.replace(row, payload=row.payload[:-1]) for row in rows]
    with pytest.raises(StatisticsError, match="cannot be read"):
        sum_counts(damaged, [0])
    assert sum_counts(damaged, [1]).overlap.count == 0
    assert {row.arm for row in rows}.isdisjoint(Arm)


@pytest.mark.parametrize(
    "wire",
    [(2, [0.0] * CLUSTERS, [0] * CLUSTERS), (1, [0.0], [0]), {"total": 3.0, "count": 5}],
    ids=["another format", "other clusters", "a map"],
)
def test_other_bytes_are_refused(wire: object) -> None:
    with pytest.raises(StatisticsError, match="cannot be read"):
        Overlap.decode(msgspec.msgpack.encode(wire))


@pytest.mark.parametrize("total", [float("nan"), 9.0, -1.0])
def test_a_mean_that_cannot_be_is_an_error(total: float) -> None:
    wire = (1, [total] + [0.0] * (CLUSTERS - 1), [3] + [0] * (CLUSTERS - 1))
    assert checked(Overlap.decode(msgspec.msgpack.encode(wire))).verdict == "error"


def test_requests_of_the_same_shoppers_tell_less_than_those_of_many() -> None:
    many = checked(shoppers(0.34, 0.3, users=1_000, each=1))
    few = checked(shoppers(0.34, 0.3, users=40, each=25))
    assert many.figures["requests"] == few.figures["requests"] == 1_000
    width = {
        name: check.figures["mean_high"] - check.figures["mean_low"]
        for name, check in (("many", many), ("few", few))
    }
    assert width["few"] > 2 * width["many"]
    assert few.verdict == "inconclusive"


def test_a_fit_candidate_is_seldom_failed_for_the_taste_of_a_few_shoppers() -> None:
    wrong = sum(
        checked(shoppers(0.32, 0.3, users=40, each=50, seed=seed)).verdict == "fail" for seed in range(200)
    )
    assert wrong <= 10, "more often than alpha"


def test_a_handful_of_shoppers_is_no_verdict() -> None:
    observed = shoppers(0.05, 0.0, users=3, each=400)
    assert checked(observed, users=3).verdict == "inconclusive"
    assert checked(observed, users=100).verdict == "fail"


def test_overlap_is_the_share_of_the_best_in_both() -> None:
    stable = np.array([0.9, 0.8, 0.7, 0.1, 0.2], np.float32)
    assert top_k_overlap(stable, stable, 2) == 1.0
    assert top_k_overlap(stable, stable[::-1].copy(), 2) == 0.0
    assert top_k_overlap(stable, np.array([0.9, 0.1, 0.8, 0, 0], np.float32), 2) == 0.5
    assert top_k_overlap(stable, np.array([np.nan, 0.1, 0.8, 0, 0], np.float32), 2) == 0.5
    # With no more candidates than k the sets are equal; the order is what is left to compare.
    assert top_k_overlap(stable, np.array([0.9, 0.8, 0.7, 0.2, 0.1], np.float32), 5) == pytest.approx(0.6)


@pytest.mark.parametrize("sizes", [(0, 0), (3, 2)])
def test_overlap_needs_two_versions_of_the_same_scores(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="same candidates"):
        top_k_overlap(np.zeros(sizes[0], np.float32), np.zeros(sizes[1], np.float32), 2)
