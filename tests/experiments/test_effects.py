import math

import numpy as np
import pytest
from scipy import stats

from experiments.effects import difference, mean, ratio, sample_ratio_p


def shoppers(generator: np.random.Generator, n: int, ctr: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Clicks and impressions of shoppers who differ widely in both."""
    impressions = generator.geometric(0.02, n) * 5
    rates = generator.beta(20 * ctr, 20 * (1 - ctr), n)
    return generator.binomial(impressions, rates), impressions


def test_a_mean_and_its_interval_are_those_of_the_textbook() -> None:
    values = np.random.default_rng(1).exponential(3.0, 500)
    found = mean(values)
    assert found is not None
    assert found.value == pytest.approx(values.mean())
    assert found.variance == pytest.approx(values.var(ddof=1) / 500)
    low, high = found.interval
    assert (low, high) == pytest.approx(stats.norm.interval(0.95, values.mean(), stats.sem(values)))


def test_the_p_value_is_that_of_welchs_test_of_large_samples() -> None:
    generator = np.random.default_rng(2)
    arm, control = generator.exponential(3.2, 4_000), generator.exponential(3.0, 4_000)
    one, other = mean(arm), mean(control)
    assert one is not None
    assert other is not None
    found = difference(one, other, 8_000)
    assert found is not None
    assert found.p_value == pytest.approx(stats.ttest_ind(arm, control, equal_var=False).pvalue, rel=0.01)
    assert found.value == pytest.approx(arm.mean() - control.mean())
    assert found.relative == pytest.approx(arm.mean() / control.mean() - 1)


def test_the_variance_of_a_ratio_is_what_repetition_shows() -> None:
    generator = np.random.default_rng(3)
    estimates = [ratio(*shoppers(generator, 400)) for _ in range(500)]
    values = [estimate.value for estimate in estimates if estimate is not None]
    deltas = [estimate.variance for estimate in estimates if estimate is not None]
    assert len(values) == 500
    assert math.sqrt(np.mean(deltas)) == pytest.approx(np.std(values), rel=0.1)
    # Impressions taken for independent would promise far too much.
    clicks, impressions = shoppers(generator, 400)
    rate = clicks.sum() / impressions.sum()
    assert np.mean(deltas) > 3 * rate * (1 - rate) / impressions.sum()


def test_arms_that_are_alike_differ_in_one_of_twenty() -> None:
    generator = np.random.default_rng(4)
    found = peeking = relative = 0
    runs = 400
    for _ in range(runs):
        arm, control = ratio(*shoppers(generator, 600)), ratio(*shoppers(generator, 600))
        assert arm is not None
        assert control is not None
        change = difference(arm, control, 1_200)
        assert change is not None
        found += change.p_value < 0.05
        assert (change.p_value < 0.05) == (change.low > 0 or change.high < 0)
        peeking += change.low_peeking > 0 or change.high_peeking < 0
        assert change.relative_low is not None
        assert change.relative_high is not None
        relative += change.relative_low > 0 or change.relative_high < 0
    # 20 are expected, with a standard deviation of 4.4.
    assert 7 <= found <= 34
    assert 7 <= relative <= 34
    assert peeking < found


def test_a_known_difference_lies_in_its_interval() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        arm, control = ratio(*shoppers(generator, 800, 0.06)), ratio(*shoppers(generator, 800, 0.05))
        assert arm is not None
        assert control is not None
        change = difference(arm, control, 1_600)
        assert change is not None
        covered += change.low <= 0.01 <= change.high
    # 190 are expected, with a standard deviation of 3.1.
    assert covered >= 178


@pytest.mark.parametrize("values", [np.empty(0), np.array([3.0])])
def test_too_few_shoppers_have_no_estimate(values: np.ndarray) -> None:
    assert mean(values) is None


def test_no_impressions_have_no_rate_and_no_variation_no_difference() -> None:
    assert ratio(np.zeros(5), np.zeros(5)) is None
    nothing = ratio(np.zeros(5), np.ones(5))
    assert nothing is not None
    assert nothing.value == 0.0
    assert difference(nothing, nothing, 10) is None


def test_a_control_at_zero_has_no_relative_difference() -> None:
    nothing, something = ratio(np.zeros(5), np.ones(5)), ratio(np.array([0, 1, 0, 1, 1]), np.ones(5))
    assert nothing is not None
    assert something is not None
    change = difference(something, nothing, 10)
    assert change is not None
    assert change.relative is None
    assert change.value == pytest.approx(0.6)


def test_a_division_as_configured_is_told_from_one_that_is_not() -> None:
    assert sample_ratio_p([10_050, 9_950], [500, 500]) > 0.1
    assert sample_ratio_p([10_500, 9_500], [500, 500]) < 0.001
    assert sample_ratio_p([3_000, 1_000], [7_500, 2_500]) > 0.9
    assert sample_ratio_p([1_000, 0], [500, 500]) < 0.001


def test_mismatches_are_seldom_seen_where_there_is_none() -> None:
    generator = np.random.default_rng(6)
    divided = generator.multinomial(3_000, [0.5, 0.3, 0.2], 500)
    assert np.mean([sample_ratio_p(row.tolist(), [5_000, 3_000, 2_000]) < 0.05 for row in divided]) < 0.09
