"""A request's way through the stages when all goes well."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pipeline import runner
from pipeline.plan import Backfill, ChannelSlot, Page, Pipeline, Ranking, channels_of
from pipeline.stages import DeadlineExceeded, Fusion, Model
from router.fusion.quota import QuotaFusion
from tests.pipeline.stand_ins import (
    FirstComeFusion,
    FixedChannel,
    FixedOrder,
    RecordingMetrics,
    RuleFilter,
    RuleScorer,
)


def pipeline(*channels: FixedChannel, **parts: object) -> Pipeline[object]:
    slots = tuple(ChannelSlot(channel, 100, 5000.0) for channel in channels)
    return Pipeline(**{"name": "home", "channels": slots, "fusion": FirstComeFusion(), **parts})


async def run(tested: Pipeline[object], page_size: int = 5, seconds: float = 10.0) -> Page:
    return await runner.run(tested, "query", page_size, time.monotonic() + seconds, time.monotonic)


async def test_candidates_pass_every_stage_in_order() -> None:
    tested = pipeline(
        FixedChannel("a", [1, 2, 3, 4]),
        FixedChannel("b", [4, 5, 6]),
        filters=(RuleFilter("odd", lambda item: item % 2 == 0),),
        ranking=Ranking(RuleScorer(lambda item: item / 10), 5000.0),
        rerankers=(FixedOrder("turned", lambda n: range(n)[::-1]),),
    )
    page = await run(tested)
    assert page.items.items.tolist() == [2, 4, 6]
    np.testing.assert_allclose(page.items.score, [0.2, 0.4, 0.6], rtol=1e-6)
    assert [channels_of(bits, tested.channel_names) for bits in page.items.channels] == [
        ["a"],
        ["a", "b"],
        ["b"],
    ]
    assert page.degraded == ()
    assert page.model == Model("rule", "7")
    counts = {record.stage: (record.count_in, record.count_out) for record in page.trace}
    assert counts == {
        "channel:a": (100, 4),
        "channel:b": (100, 3),
        "fusion": (7, 6),
        "filter:odd": (6, 3),
        "ranking": (3, 3),
        "rerank:turned": (3, 3),
    }
    assert list(counts) == [record.stage for record in page.trace]
    removed = {record.stage: record.removed for record in page.trace if record.removed}
    assert removed == {"filter:odd": {"odd": 3}}
    assert {record.outcome for record in page.trace} == {"ok"}


async def test_a_fusion_is_fitted_to_the_querys_shopper() -> None:
    fitted_to = []

    def fit(fusion: Fusion, query: object) -> Fusion:
        fitted_to.append((fusion, query))
        return QuotaFusion(np.array([0.0, 1.0]))

    tested = pipeline(FixedChannel("a", [1, 2]), FixedChannel("b", [3, 4]), fitted_fusion=fit)
    assert (await run(tested)).items.items.tolist() == [3, 4, 1, 2]
    assert fitted_to == [(tested.fusion, "query")]


async def test_page_is_cut_to_its_size_after_ranking() -> None:
    tested = pipeline(FixedChannel("a", range(1, 50)), ranking=Ranking(RuleScorer(float), 5000.0))
    assert (await run(tested, 3)).items.items.tolist() == [49, 48, 47]


async def test_without_ranking_recall_order_is_page_order_and_nothing_is_degraded() -> None:
    page = await run(pipeline(FixedChannel("a", [3, 1, 2])))
    assert page.items.items.tolist() == [3, 1, 2]
    assert page.degraded == ()
    assert page.model == Model("", "")


async def test_nan_scores_sink_below_every_number_and_ties_keep_recall_order() -> None:
    scores = np.array([np.nan, -np.inf, 0.5, np.nan, 0.5, np.inf], dtype=np.float32)
    tested = pipeline(
        FixedChannel("a", [1, 2, 3, 4, 5, 6]),
        ranking=Ranking(RuleScorer(float, answer=scores), 5000.0),
    )
    page = await run(tested, 6)
    assert page.items.items.tolist() == [6, 3, 5, 2, 1, 4]
    assert next(record.detail for record in page.trace if record.stage == "ranking") == "2 scores NaN"


async def test_only_candidates_many_are_scored_and_the_rest_counted() -> None:
    scorer = RuleScorer(float)
    tested = pipeline(
        FixedChannel("a", range(1, 31)), ranking=Ranking(scorer, 5000.0), candidates=10, oversample=2.0
    )
    page = await run(tested)
    assert scorer.scored == [10]
    by_stage = {record.stage: record for record in page.trace}
    assert by_stage["fusion"].count_out == 20
    assert by_stage["limit"].removed == {"over_limit": 10}


async def test_a_page_larger_than_candidates_is_still_filled() -> None:
    tested = pipeline(FixedChannel("a", range(1, 31)), candidates=5, oversample=1.0)
    assert len((await run(tested, 20)).items) == 20


async def test_backfill_fills_the_page_past_what_filters_remove() -> None:
    hot = FixedChannel("hot", range(1, 1001))
    tested = pipeline(
        FixedChannel("a", [2, 4]),
        filters=(RuleFilter("low", lambda item: item > 100 or item == 4),),
        backfill=Backfill(hot, 1000),
    )
    page = await run(tested, 20)
    assert page.items.items.tolist() == [4, *range(101, 120)]
    assert page.degraded == ()
    assert [channels_of(bits, tested.channel_names) for bits in page.items.channels[:2]] == [["a"], ["hot"]]
    assert hot.asked == sorted(set(hot.asked))
    assert sum(record.removed.get("low", 0) for record in page.trace) == 99


async def test_backfill_by_one_of_the_channels_keeps_its_bit_and_brings_nothing_twice() -> None:
    hot = FixedChannel("hot", range(1, 300))
    tested = pipeline(hot, FixedChannel("b", [3]), backfill=Backfill(hot, 500))
    slots = (ChannelSlot(hot, 4, 5000.0), tested.channels[1])
    tested = pipeline(channels=slots, backfill=Backfill(hot, 500))
    page = await run(tested, 10)
    assert page.items.items.tolist() == list(range(1, 11))
    assert tested.channel_names == ("hot", "b")
    assert page.items.channels.tolist() == [1, 1, 3, *[1] * 7]


async def test_backfill_stops_at_an_exhausted_channel_and_at_its_limit() -> None:
    short = FixedChannel("hot", [1, 2, 3])
    assert len((await run(pipeline(FixedChannel("a"), backfill=Backfill(short, 1000)), 10)).items) == 3
    assert len(short.asked) == 1
    long = FixedChannel("hot", range(1, 10_000))
    tested = pipeline(
        FixedChannel("a"), filters=(RuleFilter("all", lambda item: False),), backfill=Backfill(long, 100)
    )
    assert len((await run(tested, 10)).items) == 0
    assert max(long.asked) == 100


async def test_backfill_is_not_asked_where_the_page_is_full() -> None:
    hot = FixedChannel("hot", range(1, 100))
    await run(pipeline(FixedChannel("a", range(1, 30)), backfill=Backfill(hot)), 20)
    assert hot.asked == []


async def test_nothing_recalled_is_an_empty_page_with_ranking_skipped() -> None:
    page = await run(pipeline(FixedChannel("a"), ranking=Ranking(RuleScorer(float), 5000.0)))
    assert len(page.items) == 0
    assert page.degraded == ()
    assert page.trace[-1].outcome == "skipped"


async def test_metrics_see_every_stage_and_the_page() -> None:
    metrics = RecordingMetrics()
    page = await run(pipeline(FixedChannel("a", [1, 2]), metrics=metrics), 5)
    assert [record for _, record in metrics.stages] == page.trace
    assert {name for name, _ in metrics.stages} == {"home"}
    assert metrics.pages == [("home", 5, 2, ())]


async def test_trace_counts_from_arrival() -> None:
    now = time.monotonic()
    tested = pipeline(FixedChannel("a", [1]))
    page = await runner.run(tested, "query", 1, now + 10, time.monotonic, arrived=now - 100.0)
    assert all(record.start_ms >= 100_000 for record in page.trace)


async def test_a_deadline_in_the_past_asks_nobody() -> None:
    channel = FixedChannel("a", [1])
    with pytest.raises(DeadlineExceeded, match="passed"):
        await run(pipeline(channel), seconds=-1.0)
    assert channel.asked == []


async def test_a_page_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="page_size"):
        await run(pipeline(FixedChannel("a")), 0)


def test_a_channel_twice_and_too_many_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="comes twice"):
        pipeline(FixedChannel("a"), FixedChannel("a"))
    with pytest.raises(ValueError, match="more than 32"):
        pipeline(*(FixedChannel(f"c{i}") for i in range(33)))
