"""The factor settles where the percentile meets the target, recovers, and never shortens a page."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import runner
from pipeline.plan import Backfill, ChannelSlot, Page, Pipeline, Ranking
from pipeline.quality_factor import QualityFactor, QualityRule, narrowed
from tests.pipeline.stand_ins import FirstComeFusion, FixedChannel, RuleFilter, RuleScorer


@pytest.mark.parametrize("overload", [1.2, 1.6, 2.2])
@pytest.mark.parametrize(("percentile", "seed"), [(80.0, 1), (90.0, 2), (95.0, 3)])
def test_the_percentile_is_held_at_the_widest_width_that_holds_it(
    overload: float, percentile: float, seed: int
) -> None:
    """Latency grows with the width and varies; `overload` is its percentile at full width over the target."""
    chance = np.random.default_rng(seed)
    spread = np.exp(0.3 * chance.standard_normal(40_000))
    at_full_width = 100.0 * overload / float(np.quantile(spread, percentile / 100))
    rule = QualityRule(target_ms=100.0, percentile=percentile, step=0.001, minimum=0.05)
    now = [0.0]
    factor = QualityFactor(rule, lambda: now[0], lambda: now[0])
    within, widths = [], []
    for noise in spread:
        now[0] += 0.02
        width = factor.width
        latency = at_full_width * width * noise
        within.append(latency <= 100.0)
        widths.append(width)
        factor.observe(latency)
    assert np.mean(within[10_000:]) >= percentile / 100 - 0.02
    held = [width for width in set(widths) if width * overload * 1.15 <= 1.0]
    assert np.mean(widths[10_000:]) >= 0.95 * max(held)
    assert factor.width < 1.0
    for _ in range(4_000):
        now[0] += 0.02
        assert factor.width <= 1.0
        factor.observe(50.0)
    assert factor.value == factor.width == 1.0


def test_an_overload_that_narrowing_cannot_help_ends_at_the_minimum() -> None:
    factor = QualityFactor(QualityRule(target_ms=10.0, minimum=0.3), stopped, stopped)
    for _ in range(100):
        factor.observe(500.0)
    assert factor.value == factor.width == 0.3


def test_a_scene_that_nobody_asks_for_recovers_with_time() -> None:
    now = [0.0]
    rule = QualityRule(target_ms=10.0, minimum=0.25, recover_s=60.0)
    factor = QualityFactor(rule, lambda: now[0], lambda: now[0])
    for _ in range(100):
        factor.observe(500.0)
    assert factor.width == 0.25
    now[0] = 30.0
    assert factor.value == pytest.approx(0.625)
    factor.observe(500.0)
    assert factor.value == pytest.approx(0.625 - 0.038), "a slow answer begins where time had got to"
    widths = []
    for second in range(31, 106):
        now[0] = float(second)
        widths.append(factor.width)
    assert widths == sorted(widths)
    assert factor.width == 1.0
    factor.observe(500.0)
    assert factor.width == 1.0, "a single slow answer narrows nothing"


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.booleans()), max_size=300), st.integers(2, 10))
def test_a_width_is_one_of_few_and_widens_once_in_an_interval(
    answers: list[tuple[float, bool]], levels: int
) -> None:
    now = [0.0]
    rule = QualityRule(target_ms=10.0, step=0.01, levels=levels, widen_every_s=10.0)
    factor = QualityFactor(rule, lambda: now[0], lambda: now[0])
    part = 0.75 / (levels - 1)
    before, changed = 1.0, 0
    for passed, slow in answers:
        now[0] += passed
        factor.observe(20.0 if slow else 5.0)
        width, interval = factor.width, int(now[0] // 10.0)
        assert (1.0 - width) / part == pytest.approx(round((1.0 - width) / part))
        if width < before:
            assert factor.value < before - part / 2
        elif width > before:
            assert width == pytest.approx(before + part)
            assert interval > changed
            assert factor.value >= width
        if width != before:
            before, changed = width, interval


def test_replicas_give_the_same_width_a_while_after_a_spike_that_each_felt_differently() -> None:
    now = [0.0]
    rule = QualityRule(target_ms=10.0)
    replicas = [QualityFactor(rule, lambda: now[0], lambda: now[0]) for _ in range(3)]
    for replica, slow in zip(replicas, (100, 2, 0), strict=True):
        for _ in range(slow):
            replica.observe(500.0)
    assert [replica.width for replica in replicas] == [0.25, 1.0, 1.0]
    for second in range(1, 91):
        now[0] = float(second)
        widths = [replica.width for replica in replicas]
    assert widths == [1.0, 1.0, 1.0]


def test_replicas_under_one_load_give_the_same_width_nearly_always() -> None:
    """Each sees other requests; the factors themselves are never the same."""
    chance = np.random.default_rng(1)
    now = [0.0]
    rule = QualityRule(target_ms=100.0)
    replicas = [QualityFactor(rule, lambda: now[0], lambda: now[0]) for _ in range(2)]
    same_widths = []
    for noise in np.exp(0.3 * chance.standard_normal((30_000, 2))):
        now[0] += 0.02
        for replica, each in zip(replicas, noise, strict=True):
            # One and a half times the target at full width, at the percentile.
            replica.observe(150.0 / np.exp(0.3 * 1.645) * replica.width * each)
        same_widths.append(replicas[0].width == replicas[1].width)
    assert np.mean(same_widths) > 0.85


def stopped() -> float:
    """A clock on which no time passes."""
    return 0.0


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
