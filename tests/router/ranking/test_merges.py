"""The built-in merges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.ranking.registry import MERGES
from router.ranking.weighted_sum import WeightedSumSettings


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
