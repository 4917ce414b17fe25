"""The built-in merges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.ranking.log_odds_merge import LogOddsSettings, log_odds_of
from router.ranking.registry import MERGES
from router.ranking.weighted_sum import WeightedSumSettings
from router.ranking.within_look_merge import WithinLookSettings, standing


def columns(**values: list[float]) -> dict[str, np.ndarray]:
    return {f"{name}.score": np.array(each, np.float32) for name, each in values.items()}


def test_first_takes_the_first_column_that_arrived() -> None:
    first = MERGES["first"].create(MERGES["first"].settings())
    merged = first.merge(columns(b=[1, 2], a=[3, 4]))
    assert merged is not None
    assert (merged.values.tolist(), merged.column) == ([1, 2], "b.score")


NUMBERS = st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4)
WEIGHTS = st.floats(-10, 10, width=16)


@given(a=NUMBERS, b=NUMBERS, weights=st.tuples(WEIGHTS, WEIGHTS).filter(any))
def test_weighted_sum_is_the_sum_of_the_columns_that_are_there(
    a: list[float], b: list[float], weights: tuple[float, float]
) -> None:
    settings = WeightedSumSettings(weights={"a.score": weights[0], "b.score": weights[1]})
    merge = MERGES["weighted_sum"].create(settings)
    both = merge.merge(columns(b=b, a=a, c=[9, 9, 9, 9]))
    assert both is not None
    expected = weights[0] * np.array(a) + weights[1] * np.array(b)
    np.testing.assert_allclose(both.values, expected, rtol=1e-4, atol=1e-3)
    assert both.values.dtype == np.float32
    assert both.column == ("a.score" if abs(weights[0]) >= abs(weights[1]) else "b.score")
    alone = merge.merge(columns(a=a))
    if weights[0]:
        assert alone is not None
        np.testing.assert_allclose(alone.values, weights[0] * np.array(a), rtol=1e-4, atol=1e-3)
        assert alone.column == "a.score"
    else:
        assert alone is None


def test_a_nan_of_one_column_is_a_nan_of_the_sum_and_infinities_do_not_warn() -> None:
    merge = MERGES["weighted_sum"].create(WeightedSumSettings(weights={"a.score": 1.0, "b.score": 1.0}))
    merged = merge.merge(columns(a=[np.nan, np.inf, 1], b=[1, -np.inf, 1]))
    assert merged is not None
    np.testing.assert_array_equal(merged.values, np.array([np.nan, np.nan, 2], np.float32))


@pytest.mark.parametrize("weights", [{}, {"a.score": 0.0}, {"a.score": float("nan")}, {"a.score": "1"}])
def test_weights_that_order_nothing_are_refused(weights: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WeightedSumSettings.model_validate({"weights": weights})


ADDED = LogOddsSettings(added={"anchor.log_score": 2.0})
RANKED = {
    "triton.score": np.array([0.2, 0.4, 0.6], np.float32),
    "logistic.score": np.array([0.5, 0.5, 0.5], np.float32),
    "logistic.with_model": np.array([1.0, -1.0, 0.5], np.float32),
    "logistic.model_weight": np.full(3, 0.5, np.float32),
}
LOG_SCORES = {"anchor.log_score": np.array([-1.0, 0.25, 0.75], np.float32)}


def test_further_columns_are_added_to_the_joined_log_odds() -> None:
    plain, merge = (MERGES["log_odds"].create(settings) for settings in (LogOddsSettings(), ADDED))
    before, merged = plain.merge(RANKED), merge.merge(RANKED | LOG_SCORES)
    assert before is not None
    assert merged is not None
    expected = log_odds_of(before.values) + 2 * LOG_SCORES["anchor.log_score"]
    np.testing.assert_allclose(log_odds_of(merged.values), expected, rtol=1e-4)
    assert (merged.column, merged.values.dtype) == ("triton.score", np.float32)


def test_a_column_of_zeros_or_of_a_failed_scorer_changes_nothing() -> None:
    """Without a cart a scene is ordered as if it did not know carts."""
    plain, merge = (MERGES["log_odds"].create(settings) for settings in (LogOddsSettings(), ADDED))
    before = plain.merge(RANKED)
    assert before is not None
    for arrived in (RANKED, RANKED | {"anchor.log_score": np.zeros(3, np.float32)}):
        merged = merge.merge(arrived)
        assert merged is not None
        assert merged.values.tolist() == before.values.tolist()
    assert merge.merge({"anchor.log_score": np.zeros(3, np.float32)}) is None


def test_the_added_columns_order_alone_where_the_others_failed() -> None:
    merged = MERGES["log_odds"].create(ADDED).merge(LOG_SCORES)
    assert merged is not None
    assert np.argsort(merged.values).tolist() == [0, 1, 2]
    assert merged.column == "anchor.log_score"


def test_columns_that_are_added_are_checked_by_name_and_weight() -> None:
    assert "anchor.log_score" in MERGES["log_odds"].columns(ADDED)
    with pytest.raises(ValidationError):
        LogOddsSettings.model_validate({"added": {"anchor.log_score": float("inf")}})


@given(
    rows=st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(0, 1, width=32)), min_size=1, max_size=20),
    margin=st.floats(0, 0.5),
)
def test_taste_lifts_nothing_over_what_is_more_alike_by_more_than_the_margin(
    rows: list[tuple[float, float]], margin: float
) -> None:
    likeness, taste = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    found = {"look.likeness": likeness, "look.known": np.ones(len(rows), np.float32), "logistic.score": taste}
    merge = MERGES["within_look"].create(WithinLookSettings(margin=margin))
    merged = merge.merge(found)
    assert merged is not None
    assert merged.shown is likeness
    order = np.argsort(-merged.values, kind="stable")
    later = np.maximum.accumulate(likeness[order][::-1])[::-1]
    assert (later - likeness[order] <= margin + 1e-5).all()
    for unknown in (
        {**found, "look.known": np.zeros(len(rows), np.float32)},
        {name: column for name, column in found.items() if name != "logistic.score"},
    ):
        plain = merge.merge(unknown)
        assert plain is not None
        np.testing.assert_array_equal(plain.values, likeness)


def test_within_the_margin_taste_decides_and_equal_tastes_change_nothing() -> None:
    merge = MERGES["within_look"].create(WithinLookSettings(margin=0.1))
    look = {"look.likeness": np.array([0.9, 0.85, 0.5], np.float32), "look.known": np.ones(3, np.float32)}
    merged = merge.merge({**look, "logistic.score": np.array([0.1, 0.9, 0.95], np.float32)})
    assert merged is not None
    np.testing.assert_allclose(merged.values, [0.9, 0.9, 0.6], atol=1e-6)
    same = merge.merge({**look, "logistic.score": np.full(3, 0.3, np.float32)})
    assert same is not None
    assert np.argsort(-same.values).tolist() == [0, 1, 2]
    np.testing.assert_allclose(standing(np.array([3, 1, 3, np.nan], np.float32)), [5 / 6, 1 / 3, 5 / 6, 0])
    assert merge.merge({"logistic.score": np.zeros(3, np.float32)}) is None
    assert "look.likeness" in MERGES["within_look"].columns(WithinLookSettings())
