import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.judging.latency_bounds import latency_effect, quantile_bounds_ms
from rollout.latency_histogram import (
    BUCKETS,
    GROWTH,
    LOWER_EDGES_MS,
    UPPER_EDGES_MS,
    latency_bucket,
    quantile_ms,
)


def histogram(latencies: np.ndarray) -> np.ndarray:
    edges = np.searchsorted(UPPER_EDGES_MS[:-1], latencies, side="right")
    return np.bincount(edges, minlength=BUCKETS).astype(np.int64)


@given(st.floats(0, 1e9))
def test_a_latency_lies_between_the_edges_of_its_bucket(latency: float) -> None:
    bucket = latency_bucket(latency)
    # A latency on an edge may fall to either side by rounding.
    assert LOWER_EDGES_MS[bucket] <= latency * (1 + 1e-9)
    assert latency <= UPPER_EDGES_MS[bucket] * (1 + 1e-9)


@given(
    st.lists(st.floats(0.2, 90_000), min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0])
)
def test_a_quantile_is_right_to_within_a_bucket(latencies: list[float], quantile: float) -> None:
    counts = np.zeros(BUCKETS, np.int64)
    for latency in latencies:
        counts[latency_bucket(latency)] += 1
    true = float(np.quantile(latencies, quantile, method="inverted_cdf"))
    found = quantile_ms(counts, quantile)
    assert true * (1 - 1e-9) <= found <= true * GROWTH * (1 + 1e-9)


def test_no_latencies_have_no_quantile() -> None:
    empty = np.zeros(BUCKETS, np.int64)
    assert math.isnan(quantile_ms(empty, 0.5))
    assert quantile_bounds_ms(empty, 0.5, 0.05) == (0.0, math.inf)


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_bounds_hold_however_often_one_looks(quantile: float) -> None:
    alpha, runs, looks, per_look = 0.1, 200, 30, 100
    generator = np.random.default_rng(5)
    true = math.exp(3.0 + 0.5 * {0.5: 0.0, 0.99: 2.3263479}[quantile])
    missed = 0
    for _ in range(runs):
        steps = histogram(np.empty(0))
        outside = False
        for _ in range(looks):
            steps = steps + histogram(generator.lognormal(3.0, 0.5, per_look))
            low, high = quantile_bounds_ms(steps, quantile, alpha)
            outside |= not low <= true <= high
        missed += outside
    assert missed / runs <= alpha


def test_bounds_close_in_on_the_quantile() -> None:
    latencies = np.random.default_rng(1).lognormal(3.0, 0.5, 200_000)
    low, high = quantile_bounds_ms(histogram(latencies), 0.5, 0.05)
    assert low <= math.exp(3.0) <= high
    assert high / low < GROWTH**3


def test_shoppers_who_are_always_slow_widen_the_bounds() -> None:
    generator = np.random.default_rng(7)
    missed = naive = 0
    for _ in range(200):
        # 40 shoppers with 50 requests each, whose own medians differ widely; the true median is 20 ms.
        own = 20 * np.exp(generator.normal(0.0, 0.5, 40))
        latencies = own[:, None] * np.exp(generator.normal(0.0, 0.1, (40, 50)))
        counts = np.stack([histogram(row) for row in latencies])
        effect = latency_effect([counts], 0.5)
        low, high = quantile_bounds_ms(counts.sum(axis=0), 0.5, 0.1, effect)
        missed += not low <= 20 <= high
        low, high = quantile_bounds_ms(counts.sum(axis=0), 0.5, 0.1)
        naive += not low <= 20 <= high
    assert missed / 200 <= 0.1
    assert naive / 200 > 0.3


def test_a_high_quantile_is_unbounded_above_on_few_requests() -> None:
    counts = histogram(np.full(100, 10.0))
    low, high = quantile_bounds_ms(counts, 0.99, 0.05)
    assert low <= 10.0
    assert high == math.inf
