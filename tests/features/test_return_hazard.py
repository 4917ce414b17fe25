"""Hazards of returning: equal to the chances that made the log, whatever was censored."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.return_hazard import (
    GRID_DAYS,
    cumulative_hazards,
    days_that_follow,
    days_until,
    days_until_as_likely,
    hazard_at,
    rates_after,
)


def spells(rate: float, count: int, ends: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Exponential returns in whole days, each censored somewhere before `ends`."""
    random = np.random.default_rng(seed)
    back = np.ceil(random.exponential(1 / rate, count))
    seen = np.floor(random.uniform(1, ends, count))
    return np.minimum(back, seen), back <= seen


def test_the_known_chance_is_found_again_although_most_spells_are_censored() -> None:
    days, back = spells(0.02, 20_000, 60, seed=1)
    assert back.mean() < 0.5
    group = np.zeros(len(days), np.int64)
    hazards = cumulative_hazards(group, days, back, np.zeros(1, np.int64), 1.0)
    found = 1 - np.exp(-hazard_at(hazards, np.zeros(3, np.int64), np.array([10.0, 30.0, 45.0])))
    np.testing.assert_allclose(found, 1 - np.exp(-0.02 * np.array([10, 30, 45])), rtol=0.05)
    np.testing.assert_allclose(days_until(hazards, 0.5), [np.log(2) / 0.02], rtol=0.06)
    # The share of those seen to return, which forgets the censored, would be far lower.
    assert back.mean() < 0.75 * (1 - np.exp(-0.02 * 60))


def test_what_no_spell_lasts_to_see_goes_on_at_the_last_rate() -> None:
    days, back = spells(0.1, 20_000, 11, seed=2)
    hazards = cumulative_hazards(np.zeros(len(days), np.int64), days, back, np.zeros(1, np.int64), 1.0)
    at = hazard_at(hazards, np.zeros(2, np.int64), np.array([30.0, 90.0]))
    np.testing.assert_allclose(at, [3.0, 9.0], rtol=0.2)


def test_a_group_of_few_spells_is_like_its_parent_and_one_of_many_like_itself() -> None:
    slow, fast = spells(0.005, 4_000, 60, 3), spells(0.1, 4_000, 60, 4)
    few = np.array([5.0, 5.0]), np.array([False, False])
    days, back = (np.concatenate(columns) for columns in zip(slow, fast, few, strict=True))
    group = np.repeat([0, 1, 2], [4_000, 4_000, 2])
    hazards = cumulative_hazards(group, days, back, np.array([0, 1, 1]), 30.0)
    at = hazard_at(hazards, np.arange(3), np.full(3, 30.0))
    assert at[0] < 0.2 < 2.5 < at[1]
    assert abs(at[2] - at[1]) < 0.15 * at[1]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5_000), st.booleans()), max_size=60),
    st.floats(0.1, 50),
)
def test_hazards_are_finite_and_never_fall(rows: list[tuple[int, int, bool]], strength: float) -> None:
    group, days, back = (np.array([row[i] for row in rows]) for i in range(3))
    hazards = cumulative_hazards(
        group.astype(np.int64),
        days.astype(np.float64),
        back.astype(np.bool_),
        np.array([0, 0, 1, 1]),
        strength,
    )
    assert hazards.shape == (4, len(GRID_DAYS))
    assert np.isfinite(hazards).all()
    assert (np.diff(hazards, axis=1) >= 0).all()
    assert (hazards[:, 0] == 0).all()


def test_takes_that_follow_a_day_are_counted_up_to_the_end_of_the_log() -> None:
    # One shopper every fifth day, another on the last day alone.
    shopper, day = np.r_[np.zeros(11, np.int64), 1], np.r_[np.arange(0, 55, 5), 50]
    rates = rates_after(days_that_follow(shopper, day, 50))
    at = dict(zip(GRID_DAYS.tolist(), rates.tolist(), strict=True))
    assert at[0] == at[3] == 0.0
    # Ten of the ten days that are five days from the end or more are followed by one within five days.
    assert at[5] == pytest.approx(1.0, abs=0.1)
    assert at[30] == pytest.approx(6.0, abs=0.5)
    assert at[365] == pytest.approx(at[30] * 365 / 30, rel=0.3)


def test_rates_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(7)
    pairs = np.unique(np.stack((rng.integers(0, 6, 90), rng.integers(100, 160, 90)), axis=1), axis=0)
    found = days_that_follow(pairs[:, 0], pairs[:, 1], 170)
    few = pairs[:, 0] < 2
    apart = [days_that_follow(pairs[each, 0], pairs[each, 1], 170) for each in (few, ~few)]
    np.testing.assert_allclose(apart[0] + apart[1], found)
    rates = rates_after(found)
    total = 0.0
    for begin, until in pairwise(GRID_DAYS[:9]):
        after = [(s == u) & (d > e + begin) & (d <= e + until) for s, e in pairs for u, d in pairs]
        seen = sum(min(max(170 - e - begin, 0), until - begin) / (until - begin) for _, e in pairs)
        total += sum(after) / seen
        assert rates[GRID_DAYS.tolist().index(until)] == pytest.approx(total)


def test_a_group_is_likely_again_once_its_buyers_take_it_as_often_as_others() -> None:
    usual = np.outer([1.0, 1.0, 1.0], 0.002 * GRID_DAYS)
    favourite = 0.003 * GRID_DAYS
    durable = 0.0001 * GRID_DAYS
    # Nobody for sixty days, then more than others.
    cycle = 0.01 * np.maximum(GRID_DAYS - 60, 0)
    found = days_until_as_likely(np.stack((favourite, durable, cycle)), usual, 30.0)
    assert found[0] == 0
    assert np.isinf(found[1]) or found[1] >= GRID_DAYS[-2]
    assert 30 < found[2] <= 60
