"""The reliability table: tenths by score, their ratio of taken and predicted, and the calibration error."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.reliability import ScoredCandidates, reliability_rows


def drawn(scale: float, shoppers: int = 400, each: int = 100) -> ScoredCandidates:
    """Candidates that are taken `scale` times as often as their score says."""
    rng = np.random.default_rng(3)
    score = rng.beta(0.5, 4, shoppers * each).astype(np.float32)
    return ScoredCandidates(
        np.repeat(np.arange(shoppers), each), score, rng.random(len(score)) < scale * score.astype(np.float64)
    )


def test_scores_that_mean_what_they_say_have_ratios_about_one() -> None:
    rows = reliability_rows("home", drawn(1.0), seed=1)
    assert list(rows) == [*(f"home, tenth {number}" for number in range(1, 11)), "home, all"]
    predicted = [row["predicted"] for row in rows.values()][:10]
    assert predicted == sorted(predicted)
    for name, row in rows.items():
        assert row["n"] == (40_000 if name == "home, all" else 4_000)
        assert row["low"] <= row["ratio"] <= row["high"]
        assert row["ratio"] == pytest.approx(row["observed"] / row["predicted"])
    # The lowest tenths predict next to nothing, so that a few takes move their ratio.
    assert all(0.9 < row["ratio"] < 1.1 for row in list(rows.values())[6:])
    assert rows["home, all"]["ece"] < 0.005


def test_scores_that_promise_double_are_seen() -> None:
    rows = reliability_rows("home", drawn(0.5), seed=1)
    assert all(row["high"] < 0.6 for row in list(rows.values())[4:])
    total = rows["home, all"]
    assert total["ece"] == pytest.approx(total["predicted"] - total["observed"], rel=0.02)


def test_the_error_is_the_weighted_distance_of_the_tenths() -> None:
    rows = reliability_rows("home", drawn(0.7), seed=1)
    tenths = list(rows.values())[:-1]
    distance = sum(row["n"] * abs(row["observed"] - row["predicted"]) for row in tenths) / 40_000
    assert rows["home, all"]["ece"] == pytest.approx(distance)


def test_candidates_without_a_score_and_shops_without_candidates() -> None:
    few = ScoredCandidates.of(
        [
            (np.array([1, 2], np.int32), np.array([0.5, np.nan], np.float32)),
            (np.empty(0, np.int32), np.empty(0, np.float32)),
        ],
        [np.array([1], np.int32), np.array([2], np.int32)],
    )
    assert few.shopper.tolist() == [0, 0]
    assert few.taken.tolist() == [True, False]
    rows = reliability_rows("home", few, seed=0)
    assert {name: row["n"] for name, row in rows.items()} == {"home, tenth 1": 1, "home, all": 1}
    assert rows["home, all"]["ratio"] == 2
    none = ScoredCandidates.of([], [])
    assert reliability_rows("home", none, seed=0) == {}
    assert not none.are_probabilities()


@pytest.mark.parametrize(
    ("scores", "probabilities"),
    [([0.0, 0.9, np.nan], True), ([np.nan], False), ([-0.1, 0.5], False), ([0.5, 1.1], False)],
)
def test_only_numbers_within_0_and_1_are_probabilities(scores: list[float], probabilities: bool) -> None:
    shown = np.arange(len(scores), dtype=np.int32)
    scored = ScoredCandidates.of([(shown, np.array(scores, np.float32))], [shown])
    assert scored.are_probabilities() is probabilities


@pytest.mark.parametrize(
    ("best", "probabilities"), [((1.0, 0.9), True), ((1.0, 1.0), False), ((1.0, np.nan), False)]
)
def test_scores_relative_to_each_shoppers_best_are_no_probabilities(
    best: tuple[float, float], probabilities: bool
) -> None:
    shown = np.arange(2, dtype=np.int32)
    scored = ScoredCandidates.of(
        [(shown, np.array([score, score / 4], np.float32)) for score in best], [shown, shown]
    )
    assert scored.are_probabilities() is probabilities
