"""Intervals over groups are those of the groups, not of the single values."""

import numpy as np
import pytest

from foundation.statistics.bootstrap import grouped_interval


def test_single_values_give_the_interval_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, 4000)
    low, high = grouped_interval(values, np.arange(4000), rng)
    assert low == pytest.approx(values.mean() - 1.96 * 2 / 4000**0.5, abs=0.01)
    assert high == pytest.approx(values.mean() + 1.96 * 2 / 4000**0.5, abs=0.01)


def test_groups_that_agree_within_widen_it() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(0, 1, 40), 100)
    low, high = grouped_interval(values, np.repeat(np.arange(40), 100), rng)
    alone = grouped_interval(values, np.arange(4000), rng)
    assert high - low > 5 * (alone[1] - alone[0])
    assert low < values.mean() < high
