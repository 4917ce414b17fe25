"""Intervals over groups are those of the groups, not of the single values."""

import numpy as np
import pytest

from foundation.statistics.bootstrap import grouped_interval, ratio_interval


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


def test_a_ratio_of_ones_has_the_interval_of_a_mean() -> None:
    values, groups = np.random.default_rng(1).random(60), np.arange(60) // 3
    assert ratio_interval(values, np.ones(60), groups, np.random.default_rng(5)) == grouped_interval(
        values, groups, np.random.default_rng(5)
    )


def test_a_ratio_is_of_sums_and_nothing_by_nothing_is_no_number() -> None:
    rng = np.random.default_rng(2)
    below = rng.random(500) * 10
    low, high = ratio_interval(below * 3, below, np.arange(500), rng)
    assert low == pytest.approx(3)
    assert high == pytest.approx(3)
    assert np.isnan(ratio_interval(np.ones(2), np.zeros(2), np.array([1, 2]), rng)).all()
