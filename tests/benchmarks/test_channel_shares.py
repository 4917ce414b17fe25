"""Moved shares where the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.channel_shares import EVEN, World, simulate
from router.fusion.modulation_settings import ModulationSettings

pytestmark = pytest.mark.slow
WORLD = World(turn_hours=0, hours=8, pages_per_hour=120, shoppers=400)
SETTINGS = ModulationSettings()


def test_channels_that_are_alike_stay_as_they_are() -> None:
    alike = simulate(replace(WORLD, shares=EVEN), SETTINGS, seed=1)
    assert np.abs(alike.factors - 1).max() < 0.05


def test_robots_move_nothing() -> None:
    visited = simulate(replace(WORLD, shares=EVEN, robots=3), SETTINGS, seed=1)
    assert np.abs(visited.factors - 1).max() < 0.05


def test_a_channel_that_turned_bad_loses_its_share_within_bounds_and_clicks_rise() -> None:
    world = replace(WORLD, quality={"a": 0.0})
    stay, moved = simulate(world, None, seed=1), simulate(world, SETTINGS, seed=1)
    bad, *others = moved.factors[-1].tolist()
    assert SETTINGS.least <= bad < 0.8
    assert all(1 < factor <= SETTINGS.most for factor in others)
    assert moved.ctr[3:].mean() > 1.03 * stay.ctr[3:].mean()


def test_what_is_clicked_and_not_bought_loses_share_by_purchases_and_gains_by_clicks_alone() -> None:
    world = replace(WORLD, hours=12, quality={"a": 0.75}, use={"a": -0.6})
    by_both = simulate(world, SETTINGS.model_copy(update={"purchases": 2.0}), seed=1)
    by_clicks = simulate(world, SETTINGS.model_copy(update={"purchases": 0.0}), seed=1)
    assert by_both.factors[-1][0] < by_clicks.factors[-1][0]
    assert by_both.factors[-1][0] < 1
