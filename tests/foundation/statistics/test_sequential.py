"""Chances of wrong verdicts under continuous peeking, by simulation with fixed seeds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.statistics.sequential import (
    Line,
    Rate,
    difference_bounds,
    log_evidence_above,
    log_evidence_below,
    log_evidence_of_rate,
    log_evidence_of_shift,
    normal_mixture_radius,
    rate_bounds,
)
from rollout.judging.relative_rates import log_evidence_of_fall, log_evidence_of_no_fall, ratio_bounds

RATES = st.integers(1, 500).flatmap(
    lambda trials: st.integers(0, trials).map(lambda count: Rate(float(count), float(trials)))
)


def crossings(
    evidence: Callable[[Rate, Rate], float],
    candidate: float,
    baseline: float,
    *,
    runs: int,
    looks: int,
    per_look: int,
    alpha: float,
) -> float:
    """Share of the runs in which the evidence reaches 1/alpha at any of the looks."""
    generator = np.random.default_rng(11)
    counts = [
        np.cumsum(generator.binomial(per_look, p, (runs, looks)), axis=1) for p in (candidate, baseline)
    ]
    threshold = -math.log(alpha)
    crossed = 0
    for run in range(runs):
        crossed += any(
            evidence(
                Rate(float(counts[0][run, look]), trials := float((look + 1) * per_look)),
                Rate(float(counts[1][run, look]), trials),
            )
            >= threshold
            for look in range(looks)
        )
    return crossed / runs


@pytest.mark.parametrize(("rate", "margin"), [(0.0, 0.01), (0.02, 0.01), (0.5, 0.05)])
def test_a_tolerated_rise_of_a_rate_is_seldom_failed(rate: float, margin: float) -> None:
    wrong = crossings(
        lambda c, b: log_evidence_above(c, b, Line(1.0, margin)),
        rate + margin,
        rate,
        runs=200,
        looks=30,
        per_look=100,
        alpha=0.1,
    )
    assert wrong <= 0.1


def test_a_rise_beyond_the_margin_is_seldom_passed() -> None:
    wrong = crossings(
        lambda c, b: log_evidence_below(c, b, Line(1.0, 0.02)),
        0.04,
        0.02,
        runs=200,
        looks=30,
        per_look=100,
        alpha=0.1,
    )
    assert wrong <= 0.1


def test_a_larger_rise_is_found() -> None:
    found = crossings(
        lambda c, b: log_evidence_above(c, b, Line(1.0, 0.01)),
        0.1,
        0.01,
        runs=100,
        looks=10,
        per_look=100,
        alpha=0.05,
    )
    assert found > 0.99


@pytest.mark.parametrize(("rate", "per_look"), [(0.05, 1_000), (0.5, 40), (0.002, 2_000)])
def test_a_tolerated_fall_of_a_rate_is_seldom_failed(rate: float, per_look: int) -> None:
    wrong = crossings(
        lambda c, b: log_evidence_of_fall(c, b, 0.8, -math.log(0.8)),
        0.8 * rate,
        rate,
        runs=200,
        looks=30,
        per_look=per_look,
        alpha=0.1,
    )
    assert wrong <= 0.1


def test_a_fall_beyond_the_margin_is_seldom_passed_and_a_level_rate_is() -> None:
    def passes(candidate: float) -> float:
        return crossings(
            lambda c, b: log_evidence_of_no_fall(c, b, 0.8, -math.log(0.8)),
            candidate,
            0.05,
            runs=100,
            looks=30,
            per_look=1_000,
            alpha=0.1,
        )

    assert passes(0.04) <= 0.1
    assert passes(0.05) > 0.95


def test_a_candidate_nobody_clicks_is_found_before_anything_is_near_normal() -> None:
    nobody, somebody = Rate(0.0, 400.0), Rate(24.0, 400.0)
    assert log_evidence_of_fall(nobody, somebody, 0.9, -math.log(0.9)) > -math.log(0.01)


def test_the_test_of_a_shift_holds_under_peeking() -> None:
    generator = np.random.default_rng(3)
    sums = np.cumsum(generator.standard_normal((2_000, 400)), axis=1)
    n = np.arange(1, 401)
    crossed = np.zeros(2_000, bool)
    for look in range(9, 400, 3):
        for run in np.flatnonzero(~crossed):
            crossed[run] = log_evidence_of_shift(
                sums[run, look] / n[look], 1 / math.sqrt(n[look]), 0.2
            ) >= -math.log(0.05)
    assert crossed.mean() <= 0.05


def test_a_normal_confidence_sequence_holds_under_peeking() -> None:
    generator = np.random.default_rng(4)
    n = np.arange(1, 1_001)
    means = np.cumsum(generator.standard_normal((2_000, 1_000)), axis=1) / n
    radii = np.array([normal_mixture_radius(1 / math.sqrt(size), size / 100, 0.05) for size in n])
    missed = (np.abs(means) > radii).any(axis=1).mean()
    assert 0.005 < missed <= 0.05


def test_bounds_of_a_rate_hold_for_anything_between_0_and_1() -> None:
    generator = np.random.default_rng(6)
    missed = 0
    for _ in range(200):
        sums = np.cumsum(generator.beta(0.4, 1.6, 600))
        missed += any(
            log_evidence_of_rate(Rate(sums[look], look + 1.0), 0.2) >= -math.log(0.1)
            for look in range(0, 600, 10)
        )
    assert missed / 200 <= 0.1


@given(RATES, RATES)
def test_bounds_hold_what_was_observed_and_only_what_can_be(candidate: Rate, baseline: Rate) -> None:
    low, high = difference_bounds(candidate, baseline, 0.05)
    assert -1 <= low <= candidate.mean - baseline.mean <= high <= 1
    low, high = rate_bounds(candidate, 0.05)
    assert 0 <= low <= candidate.mean <= high <= 1


@given(RATES, RATES, st.sampled_from([0.01, 0.2]), st.floats(0.1, 5))
def test_evidence_agrees_with_the_bounds(candidate: Rate, baseline: Rate, alpha: float, ratio: float) -> None:
    low, high = ratio_bounds(candidate, baseline, 0.1, alpha)
    threshold = -math.log(alpha)
    near = {"rel": 1e-6, "abs": 1e-9}
    if ratio != pytest.approx(low, **near):
        assert (log_evidence_of_no_fall(candidate, baseline, ratio, 0.1) >= threshold) == (ratio < low)
    if ratio != pytest.approx(high, **near):
        assert (log_evidence_of_fall(candidate, baseline, ratio, 0.1) >= threshold) == (ratio > high)


@given(RATES, RATES, st.floats(-0.9, 0.9))
def test_evidence_is_never_for_both_sides(candidate: Rate, baseline: Rate, margin: float) -> None:
    line = Line(1.0, margin)
    both = (log_evidence_above(candidate, baseline, line), log_evidence_below(candidate, baseline, line))
    assert min(both) <= 0.0


@given(RATES, RATES, st.floats(0, 0.5))
def test_evidence_is_that_of_the_likeliest_pair(candidate: Rate, baseline: Rate, margin: float) -> None:
    found = log_evidence_above(candidate, baseline, Line(1.0, margin))
    on_line = [q for q in np.linspace(0, 1 - margin, 201).tolist() if q + margin <= 1]
    pairs = [log_evidence_of_rate(candidate, q + margin) + log_evidence_of_rate(baseline, q) for q in on_line]
    assert found <= min(pairs) + 1e-7
