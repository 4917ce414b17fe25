"""Fitting calibrations, and the level of takes that they are fitted to."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evaluation.calibration_fit import fit_calibration
from evaluation.take_level import TakeLevel, take_level
from router.ranking.calibration import AS_IT_IS
from snapshot import log_parts

DAY = 86_400


def drawn(seed: int, count: int = 60_000) -> tuple[np.ndarray, np.ndarray]:
    """Scores that promise too much below −2 and too little above."""
    random = np.random.default_rng(seed)
    score = random.normal(-2, 1.5, count)
    truth = np.where(score < -2, -2 + 1.6 * (score + 2), -2 + 0.7 * (score + 2))
    return score, random.random(count) < 1 / (1 + np.exp(-truth))


def test_a_bent_score_is_straightened_for_others_too() -> None:
    calibration = fit_calibration(*(column.astype(float) for column in drawn(1)))
    score, happened = drawn(2)
    order = np.argsort(score)
    before, after = (1 / (1 + np.exp(-each)) for each in (score, calibration.of(score.astype(np.float32))))
    tenths = np.array_split(order, 10)
    worst = [
        max(abs(np.log(happened[part].mean() / each[part].mean())) for part in tenths)
        for each in (before, after)
    ]
    assert worst[0] > 0.5
    assert worst[1] < 0.2


def test_weights_of_what_happened_move_the_level() -> None:
    score, happened = drawn(3)
    plain, fewer = (fit_calibration(score, happened * weight) for weight in (1.0, 0.8))
    expected = [(1 / (1 + np.exp(-each.of(score.astype(np.float32))))).sum() for each in (plain, fewer)]
    assert expected[1] / expected[0] == pytest.approx(0.8, abs=0.01)


def test_too_little_to_learn_from_changes_nothing() -> None:
    score, happened = drawn(4, 2_000)
    few = np.zeros(2_000)
    few[:29] = 1
    assert fit_calibration(score, few) == AS_IT_IS
    assert fit_calibration(np.zeros(2_000), happened.astype(float)) == AS_IT_IS


def log(windows: list[list[tuple[int, int]]]) -> pl.DataFrame:
    """(user, item) taken in each window of ten days, the oldest first."""
    rows = [(user, item, number * 10 * DAY) for number, each in enumerate(windows) for user, item in each]
    return pl.DataFrame(rows, schema=["user", "item", "ts"], orient="row")


@pytest.mark.parametrize("rows_at_once", [1_000, 4])
def test_the_level_is_that_of_the_mean_window(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_parts, "ROWS_AT_ONCE", rows_at_once)
    events = log(
        [
            [(1, 1), (1, 2), (2, 1)],
            [(1, 1), (1, 3), (1, 3)],  # again 1, new 1 of one shopper
            [(1, 1), (1, 2), (1, 3), (2, 4)],  # again 3 of two, new 1 of two
        ]
    )
    if rows_at_once < events.height:
        events = events.sort("user")
    found = take_level(events, 30 * DAY, 10 * DAY, 4)
    assert found.again == pytest.approx(((1.5 + 1) / 2) / 1.5)
    assert found.new == pytest.approx(((0.5 + 1) / 2) / 0.5)
    assert take_level(events, 30 * DAY, 10 * DAY, 1) == TakeLevel(1.0, 1.0)


def test_a_short_or_empty_log_has_no_level_of_its_own() -> None:
    assert take_level(log([[(1, 1)]]), 10 * DAY, 10 * DAY, 4) == TakeLevel(1.0, 1.0)
    assert take_level(log([]), 10 * DAY, 10 * DAY, 4) == TakeLevel()
