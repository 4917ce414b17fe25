"""The factor settles where the percentile meets the target, recovers, and never shortens a page."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import runner
from pipeline.plan import Backfill, ChannelSlot, Page, Pipeline, Ranking
from pipeline.quality_factor import QualityFactor, QualityRule, narrowed
from tests.pipeline.stand_ins import FirstComeFusion, FixedChannel, RuleFilter, RuleScorer


@settings(deadline=None, max_examples=20)
@given(
    overload=st.floats(1.2, 2.5),
    percentile=st.sampled_from([80.0, 90.0, 95.0]),
    seed=st.integers(0, 1_000),
)
def test_the_percentile_settles_at_the_target_and_the_factor_recovers(
    overload: float, percentile: float, seed: int
) -> None:
    """Latency grows with the width and varies; `overload` is its percentile at full width over the target."""
    chance = np.random.default_rng(seed)
    spread = np.exp(0.3 * chance.standard_normal(40_000))
    at_full_width = 100.0 * overload / float(np.quantile(spread, percentile / 100))
    factor = QualityFactor(QualityRule(target_ms=100.0, percentile=percentile, step=0.001, minimum=0.05))
    within = []
    for noise in spread:
        latency = at_full_width * factor.value * noise
        within.append(latency <= 100.0)
        factor.observe(latency)
    assert np.mean(within[10_000:]) == pytest.approx(percentile / 100, abs=0.02)
    assert factor.value < 1.0
    for _ in range(1_000):
        factor.observe(50.0)
    assert factor.value == 1.0


def test_an_overload_that_narrowing_cannot_help_ends_at_the_minimum() -> None:
    factor = QualityFactor(QualityRule(target_ms=10.0, minimum=0.3))
    for _ in range(100):
        factor.observe(500.0)
    assert factor.value == 0.3


@given(st.integers(1, 5_000), st.floats(0.01, 1.0), st.integers(1, 100))
def test_narrowed_never_widens_and_leaves_a_page(count: int, width: float, page: int) -> None:
    assert min(count, page) <= narrowed(count, width, page) <= count


def pipeline(*, backfill: bool = False, prefers: int = 0) -> tuple[Pipeline[str], FixedChannel, RuleScorer]:
    """A channel of 400 items, of which the filter lets those above `prefers` through."""
    channel = FixedChannel("all", range(1, 401))
    scorer = RuleScorer(float)
    built = Pipeline(
        name="tested",
        channels=(ChannelSlot(channel, 400, 1_000.0),),
        fusion=FirstComeFusion(),
        filters=(RuleFilter("late_ones", lambda item: item > prefers),),
        ranking=Ranking(scorer, 1_000.0),
        backfill=Backfill(channel) if backfill else None,
        candidates=200,
        oversample=2.0,
    )
    return built, channel, scorer


async def run(built: Pipeline[str], page_size: int, width: float) -> Page:
    return await runner.run(built, "query", page_size, time.monotonic() + 60, time.monotonic, width=width)


async def test_a_narrowed_request_recalls_and_scores_less_and_says_so() -> None:
    built, channel, scorer = pipeline()
    page = await run(built, 20, 0.3)
    assert channel.asked == [120]
    assert scorer.scored == [60]
    assert len(page.items) == 20
    assert page.degraded == ()
    (record,) = [record for record in page.trace if record.stage == "quality_factor"]
    assert (record.count_in, record.count_out, record.detail) == (200, 60, "0.300")


async def test_at_full_width_nothing_changes() -> None:
    built, channel, scorer = pipeline()
    page = await run(built, 20, 1.0)
    assert (channel.asked, scorer.scored) == ([400], [200])
    assert "quality_factor" not in [record.stage for record in page.trace]


@pytest.mark.parametrize("backfill", [False, True])
@pytest.mark.parametrize("page_size", [1, 20, 40])
async def test_a_page_is_never_shorter_for_being_narrowed(backfill: bool, page_size: int) -> None:
    for prefers in (0, 60, 350, 390):
        built, _, _ = pipeline(backfill=backfill, prefers=prefers)
        full = await run(built, page_size, 1.0)
        narrow = await run(built, page_size, 0.05)
        assert len(narrow.items) == len(full.items)
