"""Hazards of returning: equal to the chances that made the log, whatever was censored."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.return_hazard import GRID_DAYS, cumulative_hazards, days_until, hazard_at


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
