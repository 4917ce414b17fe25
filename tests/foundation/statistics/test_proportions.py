"""Shares: intervals that cover the truth as often as they say, and a test of a drop that is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foundation.statistics.proportions import difference_interval, drop_p, wilson_interval

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(counts)
def test_wilsons_interval_is_that_of_the_score_test(sample: tuple[int, int]) -> None:
    successes, trials = sample
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("sample", "base", "interval"),
    [
        # Newcombe 1998, table II, method 10.
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ],
)
def test_newcombes_examples(
    sample: tuple[int, int], base: tuple[int, int], interval: tuple[float, float]
) -> None:
    assert difference_interval(*sample, *base) == pytest.approx(interval, abs=5e-5)


def test_the_interval_of_a_difference_covers_it() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(500):
        low, high = difference_interval(int(rng.binomial(60, 0.6)), 60, int(rng.binomial(80, 0.75)), 80)
        covered += low <= -0.15 <= high
    assert 0.92 <= covered / 500 <= 0.985


@settings(deadline=None)
@given(counts, counts)
def test_the_test_of_a_drop_is_fishers(sample: tuple[int, int], base: tuple[int, int]) -> None:
    table = [[sample[0], sample[1] - sample[0]], [base[0], base[1] - base[0]]]
    expected = stats.fisher_exact(table, alternative="less").pvalue
    assert drop_p(*sample, *base) == pytest.approx(expected, rel=1e-6)
