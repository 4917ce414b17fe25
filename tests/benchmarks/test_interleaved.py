"""Timing in turns."""

import numpy as np
import pytest

from benchmarks.interleaved import Timings, in_turns


class Ticks:
    """A clock that only the timed calls move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float):
        def call() -> None:
            self.now += seconds

        return call


def test_a_round_calls_every_way_and_quick_ways_more_often() -> None:
    ticks = Ticks()
    ways = {"slow": ticks.takes(1.0), "quick": ticks.takes(0.25)}
    timings = in_turns(ways, rounds=7, budget_s=1e9, slice_s=1.0, timer=ticks)
    assert timings["slow"].seconds.shape == (7, 1)
    assert timings["quick"].seconds.shape == (7, 4)
    assert timings["quick"].p50 == pytest.approx(0.25)
    assert timings["quick"].times_faster(timings["slow"]) == pytest.approx(4.0)


def test_the_budget_ends_it_but_not_before_five_rounds() -> None:
    ticks = Ticks()
    timings = in_turns({"slow": ticks.takes(10.0)}, rounds=100, budget_s=1.0, timer=ticks)
    assert len(timings["slow"].seconds) == 5
    ticks = Ticks()
    timings = in_turns({"slow": ticks.takes(10.0)}, rounds=100, budget_s=75.0, timer=ticks)
    assert 5 < len(timings["slow"].seconds) < 12


def test_one_disturbed_round_does_not_move_the_ratio() -> None:
    quiet = np.full((9, 1), 1.0)
    disturbed = quiet.copy()
    disturbed[4] = 50.0
    assert Timings(quiet / 2).times_faster(Timings(disturbed)) == pytest.approx(2.0)
