"""How much the scores of a scene are moved: as far as its takes differ from those that the scores promise."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.scene_shift import Takes, shift_of
from router.ranking.logistic.weights import LARGEST_SHIFT


def drawn(count: int, seed: int, *, more: float = 0.0, stated: float = 0.0) -> Takes:
    """Candidates taken at log-odds that are higher by `more`, and scored by ones higher by `stated`."""
    random = np.random.default_rng(seed)
    log_odds = random.normal(-2, 1, count)
    taken = random.random(count) < 1 / (1 + np.exp(-(log_odds + more)))
    return Takes((log_odds + stated).astype(np.float32), taken)


@pytest.mark.parametrize("more", [-0.5, 0.0, 0.7])
def test_it_is_what_the_scene_takes_more(more: float) -> None:
    assert shift_of(drawn(40_000, 1, more=more), drawn(40_000, 2)) == pytest.approx(more, abs=0.06)


def test_what_is_off_in_both_scenes_is_no_difference_between_them() -> None:
    too_sure = drawn(40_000, 2, stated=0.4)
    assert shift_of(drawn(40_000, 1, stated=0.4), too_sure) == pytest.approx(0, abs=0.06)
    assert shift_of(drawn(40_000, 1, stated=0.4, more=0.5), too_sure) == pytest.approx(0.5, abs=0.08)


def test_with_the_shift_the_scores_promise_what_is_taken() -> None:
    scene, fitted = drawn(40_000, 3, more=0.8), Takes(np.zeros(0, np.float32), np.zeros(0, np.bool_))
    moved = 1 / (1 + np.exp(-(scene.log_odds + shift_of(scene, fitted))))
    assert moved.sum() == pytest.approx(scene.taken.sum(), rel=0.01)


def test_few_takes_move_little_and_nothing_moves_nothing() -> None:
    nothing = Takes(np.zeros(0, np.float32), np.zeros(0, np.bool_))
    assert shift_of(nothing, drawn(40_000, 1)) == 0
    three = Takes(np.full(20, -3.0, np.float32), np.arange(20) < 3)
    assert 0 < shift_of(three, nothing) < 0.1 * np.log(3 / three.log_odds.size * 20)
    untaken = Takes(np.full(20, -3.0, np.float32), np.zeros(20, np.bool_))
    assert -0.1 < shift_of(untaken, nothing) < 0


def test_it_is_finite_and_bounded_whatever_happened() -> None:
    all_taken = Takes(np.full(5_000, -9.0, np.float32), np.ones(5_000, np.bool_))
    none_taken = Takes(np.full(5_000, 9.0, np.float32), np.zeros(5_000, np.bool_))
    unknown = Takes(np.array([np.nan, -1.0], np.float32), np.array([True, False]))
    assert shift_of(all_taken, none_taken) == pytest.approx(LARGEST_SHIFT)
    assert shift_of(none_taken, all_taken) == pytest.approx(-LARGEST_SHIFT)
    assert shift_of(unknown, unknown) == pytest.approx(0, abs=1e-6)
