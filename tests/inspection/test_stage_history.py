"""Times of stages over the last hour: what is added since the oldest note that is young enough."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.stage_history import MAX_HISTOGRAMS, StageHistory, histograms_of, percentile
from protos.shopfront.v1.admin_pb2 import MetricSample, ReadMetricsResponse

BOUNDS = (0.001, 0.01, math.inf)
STAGE, REQUEST = "shopfront_stage_seconds_bucket", "shopfront_request_seconds_bucket"


def buckets(name: str, counts: Sequence[float], **labels: str) -> list[MetricSample]:
    """A histogram as a router reports it: counts below each bound."""
    below = np.cumsum(counts).tolist()
    return [
        MetricSample(name=name, labels={**labels, "le": str(bound)}, value=value)
        for bound, value in zip(BOUNDS, below, strict=True)
    ]


class Counts:
    """What processes count, changed by hand, at a time set by hand."""

    def __init__(self) -> None:
        self.samples: list[MetricSample] = []
        self.now = 0.0

    async def read(self, prefixes: Sequence[str]) -> ReadMetricsResponse:
        return ReadMetricsResponse(samples=self.samples)


def test_an_hour_counts_what_was_added_in_it_and_no_more() -> None:
    counts = Counts()
    history = StageHistory(counts, lambda: counts.now)  # type: ignore[arg-type]

    async def told(at: float, fast: float, slow: float) -> tuple[float, dict[str, list[float]]]:
        counts.now = at
        counts.samples = [
            *buckets(STAGE, (fast, slow, 0), scene="home", stage="ranking"),
            *buckets(STAGE, (9, 9, 9), scene="cart", stage="ranking"),
            *buckets(REQUEST, (0, fast, slow), scene="home", method="Recommend"),
            *buckets(REQUEST, (0, 1, 0), scene="home", method="RecommendPage"),
        ]
        found = await history.times("home")
        await history.note()
        return found.window_s, {each.stage: list(each.counts) for each in found.stages}

    async def hours() -> None:
        assert await told(0, 5, 0) == (0, {})
        assert await told(60, 7, 1) == (60, {"request": [0, 2, 1], "ranking": [2, 1, 0]})
        assert await told(3_600, 7, 4) == (3_600, {"request": [0, 2, 4], "ranking": [2, 4, 0]})
        # The note at 0 is more than an hour old now.
        assert await told(3_660, 9, 4) == (3_600, {"request": [0, 2, 3], "ranking": [2, 3, 0]})

    asyncio.run(hours())


def test_processes_that_were_started_anew_count_from_nothing() -> None:
    counts = Counts()
    history = StageHistory(counts, lambda: counts.now)  # type: ignore[arg-type]

    async def anew() -> list[float]:
        counts.samples = buckets(STAGE, (5, 3, 0), scene="home", stage="ranking")
        await history.note()
        counts.now, counts.samples = 60.0, buckets(STAGE, (1, 0, 0), scene="home", stage="ranking")
        (found,) = (await history.times("home")).stages
        return list(found.counts)

    assert asyncio.run(anew()) == [1, 0, 0]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=8),
    st.floats(0.01, 0.99),
)
def test_a_percentile_has_its_share_below_it(counts: list[int], share: float) -> None:
    bounds = np.array([0.001 * 2**power for power in range(len(counts) - 1)] + [math.inf])
    found = percentile(bounds, np.array(counts, np.float64), share)
    if not sum(counts):
        assert math.isnan(found)
        return
    edges = np.concatenate([[0.0], bounds])
    below = sum(
        count * min(1.0, max(0.0, (found - low) / (high - low) if math.isfinite(high) else 0.0))
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    )
    if found < bounds[:-1].max(initial=0.0):
        assert below == pytest.approx(share * sum(counts), abs=1e-6)
    else:
        assert below <= share * sum(counts) + 1e-6


def test_histograms_are_bounded() -> None:
    many = [
        sample
        for number in range(MAX_HISTOGRAMS + 5)
        for sample in buckets(STAGE, (1, 0, 0), scene="home", stage=f"s{number}")
    ]
    assert len(histograms_of(many)) == MAX_HISTOGRAMS
