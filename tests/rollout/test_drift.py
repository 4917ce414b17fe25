import math

import numpy as np
import pytest

from foundation.statistics.sequential import Line, log_evidence_above
from rollout.arm_statistics import CLUSTERS
from rollout.judging.design_effect import design_effect, effective, jackknife
from rollout.judging.score_drift import (
    kolmogorov_smirnov,
    ks_distance,
    population_stability_index,
    psi_distance,
)
from rollout.score_histogram import BINS, EDGES, score_counts


def clustered(generator: np.random.Generator, users: int, mean: float, spread: float) -> np.ndarray:
    """int64[CLUSTERS, BINS] of 20 log-odds-normal scores of each of `users`, who differ by `spread`."""
    counts = np.zeros((CLUSTERS, BINS), np.int64)
    own = generator.normal(mean, spread, users)
    for user in range(users):
        scores = 1 / (1 + np.exp(-generator.normal(own[user], 1.0, 20)))
        counts[user % CLUSTERS] += score_counts(scores.astype(np.float32))[0]
    return counts


def test_scores_fall_into_the_bins_of_their_log_odds() -> None:
    counts, lost = score_counts(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan, -np.inf], np.float32))
    assert (counts[0], counts[-1], counts.sum(), lost) == (2, 2, 5, 2)
    assert np.flatnonzero(counts)[1] == np.searchsorted(EDGES, np.float32(0.5), side="right")
    assert np.all(np.diff(EDGES) > 0)


def test_psi_is_that_of_the_formula() -> None:
    candidate, baseline = np.array([[3_000_000, 7_000_000]]), np.array([[5_000_000, 5_000_000]])
    expected = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert population_stability_index(candidate, baseline)[0] == pytest.approx(expected, rel=1e-5)


def test_ks_is_the_largest_distance_of_the_cumulated_shares() -> None:
    candidate, baseline = np.array([[1, 1, 2, 0]]), np.array([[0, 1, 1, 2]])
    assert kolmogorov_smirnov(candidate, baseline)[0] == pytest.approx(0.5)
    assert np.isnan(kolmogorov_smirnov(candidate * 0, baseline)[0])


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_small_samples_of_one_distribution_have_no_distance(spread: float) -> None:
    generator = np.random.default_rng(2)
    plain, estimates, covered = [], [], 0
    for _ in range(60):
        arms = [clustered(generator, 100, -3.0, spread) for _ in range(2)]
        psi = psi_distance(*arms, information=1.0, alpha=0.05)
        ks = ks_distance(*arms, information=1.0, alpha=0.05)
        plain.append(population_stability_index(*(arm.sum(axis=0, keepdims=True) for arm in arms))[0])
        estimates.append(psi.estimate)
        covered += psi.low == 0.0 and ks.low == 0.0
    # The plain index of so few shoppers is well above 0; what remains of it is noise around 0.
    assert np.mean(estimates) < 0.5 * np.mean(plain)
    assert covered >= 57


def test_shoppers_who_differ_widen_the_bounds() -> None:
    generator = np.random.default_rng(2)
    widths = []
    for spread in (0.0, 1.5):
        arms = [clustered(generator, 300, -3.0, spread) for _ in range(2)]
        distance = psi_distance(*arms, information=1.0, alpha=0.05)
        widths.append(distance.high - distance.low)
    assert widths[1] > 3 * widths[0]


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_a_shift_of_a_standard_deviation_is_beyond_custom_thresholds(shift: float) -> None:
    generator = np.random.default_rng(2)
    arms = [clustered(generator, 300, mean, 0.2) for mean in (-3.0 + shift, -3.0)]
    assert psi_distance(*arms, information=3.0, alpha=0.01).low > 0.25
    assert ks_distance(*arms, information=3.0, alpha=0.01).low > 0.3


@pytest.mark.slow
def test_bounds_hold_under_peeking_at_a_distribution_just_tolerated() -> None:
    generator = np.random.default_rng(8)
    looks, failed = (100, 200, 400, 800), 0
    large = [clustered(generator, 40_000, mean, 0.5) for mean in (-2.6, -3.0)]
    tolerated = kolmogorov_smirnov(*(arm.sum(axis=0, keepdims=True) for arm in large))[0]
    for _ in range(40):
        arms = [np.zeros((CLUSTERS, BINS), np.int64) for _ in range(2)]
        wrong, before = False, 0
        for look in looks:
            for arm, mean in zip(arms, (-2.6, -3.0), strict=True):
                arm += clustered(generator, look - before, mean, 0.5)
            before = look
            wrong |= ks_distance(*arms, information=look / 100, alpha=0.1).low > tolerated
        failed += wrong
    assert failed / 40 <= 0.1


def test_one_score_for_all_has_no_distance_to_itself_and_much_to_others() -> None:
    same = np.zeros((CLUSTERS, BINS), np.int64)
    same[:, 20] = 50
    other = np.zeros((CLUSTERS, BINS), np.int64)
    other[:, 40] = 50
    assert psi_distance(same, same, 1.0, 0.05).high == 0.0
    assert psi_distance(same, other, 1.0, 0.05).low > 5
    assert ks_distance(same, other, 1.0, 0.05).low == pytest.approx(1.0)


def test_the_jackknife_needs_two_clusters() -> None:
    lone = np.zeros((CLUSTERS, BINS), np.int64)
    lone[3] = 1
    with pytest.raises(ValueError, match="two clusters"):
        jackknife(lone, lone, kolmogorov_smirnov)


def test_independent_trials_have_no_design_effect_and_alike_ones_that_of_their_number() -> None:
    generator = np.random.default_rng(5)
    trials = np.full(CLUSTERS, 1_000, np.int64)
    effects = [design_effect([(generator.binomial(trials, 0.1), trials)] * 2) for _ in range(50)]
    assert 1.0 <= np.mean(effects) < 1.2
    # Ten trials of each shopper, all with the same outcome.
    alike = [design_effect([(10 * generator.binomial(100, 0.1, CLUSTERS), trials)]) for _ in range(50)]
    assert np.mean(alike) == pytest.approx(10, rel=0.15)
    observed = effective(np.array([40, 60]), np.array([500, 500]), 10.0)
    assert (observed.count, observed.trials) == (10.0, 100.0)


def test_no_trials_have_no_design_effect() -> None:
    nothing = np.zeros(CLUSTERS, np.int64)
    assert design_effect([(nothing, nothing)]) == 1.0


def test_shoppers_whose_requests_are_alike_are_seldom_taken_for_a_rise() -> None:
    generator = np.random.default_rng(9)
    failed = naive = 0
    trials = np.full(CLUSTERS, 100, np.int64)
    for _ in range(200):
        # 10 shoppers in each cluster with 10 requests each: nearly all of a shopper's fail, or nearly none.
        arms = [
            (generator.binomial(10, generator.beta(0.02, 0.18, (CLUSTERS, 10))).sum(axis=1), trials)
            for _ in range(2)
        ]
        effect = design_effect(arms)
        rates = [effective(*arm, effect) for arm in arms]
        plain = [effective(*arm, 1.0) for arm in arms]
        failed += log_evidence_above(*rates, Line(1.0, 0.0)) >= -math.log(0.05)
        naive += log_evidence_above(*plain, Line(1.0, 0.0)) >= -math.log(0.05)
    assert failed / 200 <= 0.05
    assert naive > failed
