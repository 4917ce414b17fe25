"""Calibrations of scores: order is kept, whatever the knots, and nothing else promises a probability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recall.item_facts import FACTS, ItemFacts
from router.ranking.calibration import AS_IT_IS, FURTHEST, Calibration
from router.ranking.log_odds_merge import LogOddsSettings, log_odds_of
from router.ranking.logistic.table import NAME, LogisticTable
from router.ranking.logistic.weights import default_weights
from router.ranking.registry import MERGES

BENT = Calibration(knots=(-4.0, -2.0, 1.0), values=(-6.0, -2.5, 2.0))
GAPS = st.lists(st.floats(0.01, 2), min_size=1, max_size=6)


@given(
    knots=GAPS, values=GAPS, scores=st.lists(st.floats(-14.875, 14.875, width=32), min_size=2, max_size=40)
)
@settings(max_examples=40)
def test_every_order_is_kept(knots: list[float], values: list[float], scores: list[float]) -> None:
    count = min(len(knots), len(values))
    calibration = Calibration(
        knots=tuple((np.cumsum(knots[:count]) - 7).tolist()),
        values=tuple((np.cumsum(values[:count]) - 7).tolist()),
    )
    # Scores that hardly differ may become equal where it is flat; they never swap.
    ordered = np.sort(np.array(scores, np.float32))
    found = calibration.of(ordered)
    assert found.dtype == np.float32
    assert (np.diff(found) >= 0).all()
    apart = np.diff(ordered) > 1e-2
    assert (np.diff(found)[apart] > 0).all()
    assert np.abs(found).max() <= FURTHEST


def test_nothing_fitted_changes_nothing_and_a_nan_stays_one() -> None:
    scores = np.array([-3.0, np.nan, 2.0], np.float32)
    assert AS_IT_IS.of(scores) is scores
    np.testing.assert_allclose(BENT.of(scores), [-4.25, np.nan, 2 + 13 / 14], rtol=1e-6)


def test_a_shift_of_all_odds_is_one_before_and_after() -> None:
    scores = np.array([-3.0, 0.5], np.float32)
    np.testing.assert_allclose(BENT.shifted(-1.5).of(scores - 1.5), BENT.of(scores) - 1.5, rtol=1e-6)
    assert Calibration(knots=(-14.0,), values=(-14.0,)).shifted(-2) == AS_IT_IS


@pytest.mark.parametrize(
    ("knots", "values"),
    [((1.0, 2.0), (1.0,)), ((2.0, 1.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 1.0)), ((16.0,), (1.0,))],
)
def test_knots_that_do_not_rise_are_refused(knots: tuple[float, ...], values: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        Calibration(knots=knots, values=values)


def tables() -> dict[str, LogisticTable]:
    learned = default_weights((), ()).model_copy(update={"calibration": BENT})
    return {NAME: LogisticTable.of(ItemFacts(np.zeros((1, len(FACTS)), np.float32)), learned)}


COLUMNS = {
    "triton.score": np.array([0.2, 0.4, np.nan], np.float32),
    "logistic.score": np.array([0.5, 0.1, 0.3], np.float32),
    "logistic.probability": np.array([0.4, 0.05, 0.2], np.float32),
    "logistic.with_model": np.array([-1.0, 1.0, 0.5], np.float32),
    "logistic.model_weight": np.full(3, 0.5, np.float32),
}


def test_answers_show_the_calibrated_log_odds_and_the_order_stays() -> None:
    kind = MERGES["log_odds"]
    plain = kind.create(LogOddsSettings())
    before, merged = plain.merge(COLUMNS), kind.fitted(plain, tables()).merge(COLUMNS)
    assert before is not None
    assert merged is not None
    np.testing.assert_array_equal(merged.values, before.values)
    assert merged.probability is not None
    np.testing.assert_allclose(
        log_odds_of(merged.probability), BENT.of(log_odds_of(before.values)), rtol=1e-4, equal_nan=True
    )


def test_a_shift_moves_what_is_shown_and_nothing_else() -> None:
    kind = MERGES["log_odds"]
    merge = kind.fitted(kind.create(LogOddsSettings()), tables())
    before = merge.merge(COLUMNS)
    shifted = merge.merge(COLUMNS | {"logistic.shift": np.full(3, 0.5, np.float32)})
    assert before is not None
    assert shifted is not None
    np.testing.assert_array_equal(shifted.values, before.values)
    assert before.probability is not None
    assert shifted.probability is not None
    np.testing.assert_allclose(
        log_odds_of(shifted.probability), log_odds_of(before.probability) + 0.5, rtol=1e-4, equal_nan=True
    )


def test_without_the_model_the_rankers_own_calibration_is_shown() -> None:
    kind = MERGES["log_odds"]
    alone = {name: column for name, column in COLUMNS.items() if name.startswith("logistic.")}
    merged = kind.fitted(kind.create(LogOddsSettings()), tables()).merge(alone)
    assert merged is not None
    np.testing.assert_array_equal(merged.values, COLUMNS["logistic.score"])
    assert merged.probability is COLUMNS["logistic.probability"]


@pytest.mark.parametrize(
    "changed",
    [
        {"anchor.log_score": np.array([1.0, 0.0, -1.0], np.float32)},
        {"logistic.probability": np.full(3, np.nan, np.float32)},
        {"logistic.score": None, "logistic.probability": None},
    ],
)
def test_what_is_added_not_fitted_or_lacks_the_ranker_promises_no_probability(
    changed: dict[str, np.ndarray | None],
) -> None:
    kind = MERGES["log_odds"]
    added = kind.create(LogOddsSettings(added={"anchor.log_score": 2.0}))
    columns = {name: column for name, column in (COLUMNS | changed).items() if column is not None}
    merged, before = kind.fitted(added, tables()).merge(columns), added.merge(columns)
    assert merged is not None
    assert before is not None
    np.testing.assert_array_equal(merged.values, before.values)
    assert merged.probability is None
