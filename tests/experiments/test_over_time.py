"""An arm on the way: each moment knows what came before its end, and the last everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.effects import mean, ratio
from experiments.over_time import (
    CLICKS,
    GMV,
    HOUR_MS,
    IMPRESSIONS,
    MOST_MOMENTS,
    Hours,
    arm_over_time,
    moments_of,
)

SUMS = st.tuples(*[st.integers(0, 5).map(float)] * 5).map(list)
SHOPPERS = st.lists(st.dictionaries(st.integers(10, 40), SUMS, max_size=4), min_size=2, max_size=6)


@settings(deadline=None, max_examples=20)
@given(SHOPPERS, st.integers(10, 30), st.integers(0, 12))
def test_each_moment_is_what_counting_anew_gives(
    shoppers: list[dict[int, list[float]]], first: int, length: int
) -> None:
    ends = moments_of(first * HOUR_MS + 5, (first + length) * HOUR_MS + 7)
    found = list(arm_over_time(Hours.of(list(shoppers)), ends))
    assert len(found) == len(ends)
    for position, (end, moment) in enumerate(zip(ends, found, strict=True)):
        last = position == len(ends) - 1
        counted = [
            [row for hour, row in hours.items() if last or hour * HOUR_MS < end] or [[0.0] * 5]
            for hours in shoppers
        ]
        sums = np.array([np.sum(rows, axis=0) for rows in counted])
        sums = sums[sums[:, 0] > 0]
        assert moment.users == len(sums)
        assert moment.metrics["gmv_per_user"] == mean(sums[:, GMV])
        assert moment.metrics["ctr"] == ratio(sums[:, CLICKS], sums[:, IMPRESSIONS])


@pytest.mark.parametrize("hours", [1, 2, 24, 25, 1_000])
def test_moments_are_few_rise_and_end_after_the_last_answer(hours: int) -> None:
    last = 100 * HOUR_MS + (hours - 1) * HOUR_MS + 1
    ends = moments_of(100 * HOUR_MS, last)
    assert len(ends) == min(hours, MOST_MOMENTS)
    assert ends == sorted(set(ends))
    assert last <= ends[-1] <= last + HOUR_MS
