"""Histogram and percentiles against ghz's: its loop, and the values its own tests expect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.latency_histogram import LatencyHistogram
from loadtest.report import ghz_histogram, ghz_latencies

latencies = st.lists(st.integers(1_000, 10**10), min_size=1, max_size=200).map(
    lambda values: np.sort(np.array(values, dtype=np.int64))
)


def _ghz_histogram(seconds: list[float]) -> list[int]:
    """runner/reporter.go's loop."""
    slowest, fastest = seconds[-1], seconds[0]
    marks = [fastest + (slowest - fastest) / 10 * at for at in range(10)] + [slowest]
    counts, bucket, at = [0] * 11, 0, 0
    while at < len(seconds):
        if seconds[at] <= marks[bucket]:
            at += 1
            counts[bucket] += 1
        elif bucket < 10:
            bucket += 1
    return counts


@given(latencies)
def test_the_histogram_is_ghz_s(values: np.ndarray) -> None:
    buckets = ghz_histogram(values)
    assert [bucket.count for bucket in buckets] == _ghz_histogram((values / 1e9).tolist())
    assert sum(bucket.count for bucket in buckets) == len(values)


@given(latencies)
def test_the_percentiles_are_ghz_s(values: np.ndarray) -> None:
    for percentile in ghz_latencies(values):
        position = percentile.percentage / 100.0 * len(values)
        at = int(position) - 1 if position == int(position) else int(position)
        assert percentile.latency == values[max(0, at)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([15, 20, 35, 40, 50], [15, 20, 35, 40, 50, 50, 50]),
        ([3, 6, 7, 8, 8, 10, 13, 15, 16, 20], [3, 7, 8, 15, 16, 20, 20]),
        ([3, 6, 7, 8, 8, 9, 10, 13, 15, 16, 20], [6, 7, 9, 15, 16, 20, 20]),
    ],
)
def test_the_percentiles_are_those_of_ghz_s_own_tests(values: list[int], expected: list[int]) -> None:
    """TestReport_latencies of runner/reporter_test.go, in seconds."""
    percentiles = ghz_latencies(np.array(values, dtype=np.int64) * 10**9)
    assert [percentile.percentage for percentile in percentiles] == [10, 25, 50, 75, 90, 95, 99]
    assert [percentile.latency for percentile in percentiles] == [second * 10**9 for second in expected]


@given(latencies)
def test_percentiles_of_the_long_term_histogram_are_within_its_digits(values: np.ndarray) -> None:
    histogram = LatencyHistogram()
    histogram.record(values)
    for percentage in (50.0, 99.0, 100.0):
        exact = int(values[max(0, int(np.ceil(percentage / 100 * len(values))) - 1)])
        # Below a microsecond's digit a step is 512 ns.
        assert abs(histogram.percentile(percentage) - exact) <= max(512, exact / 1_000)
