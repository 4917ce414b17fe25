"""Who owns a failure: a dependency degrades the answer, a bug ends it, a cancellation stops all."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from pipeline.plan import Backfill, ChannelSlot, Page, Pipeline, Ranking
from pipeline.stages import EMPTY_RECALL, ContractError, DependencyError, StageBug
from tests.pipeline.stand_ins import (
    Columns,
    FixedChannel,
    FixedOrder,
    RecordingMetrics,
    RuleFilter,
    RuleScorer,
    columns,
)
from tests.pipeline.test_runner import pipeline, run

FOREVER = 3600.0


def with_timeouts(*slots: tuple[FixedChannel, float], **parts: object) -> Pipeline[object]:
    return pipeline(channels=tuple(ChannelSlot(channel, 100, ms) for channel, ms in slots), **parts)


def outcomes(page: Page) -> dict[str, str]:
    return {record.stage: record.outcome for record in page.trace}


async def some_steps() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_channel_past_its_deadline_returns_nothing_and_is_named() -> None:
    slow, quick = FixedChannel("slow", [1], delay=FOREVER), FixedChannel("quick", [2])
    page = await run(with_timeouts((slow, 20.0), (quick, 5000.0)))
    await asyncio.sleep(0)
    assert page.items.items.tolist() == [2]
    assert page.degraded == ("channel:slow",)
    assert outcomes(page) == {"channel:slow": "timeout", "channel:quick": "ok", "fusion": "ok"}
    assert slow.cancelled


async def test_each_channel_has_its_own_deadline() -> None:
    page = await run(
        with_timeouts((FixedChannel("a", [1], delay=0.1), 20.0), (FixedChannel("b", [2], delay=0.1), 5000.0))
    )
    assert page.items.items.tolist() == [2]
    assert page.degraded == ("channel:a",)


async def test_the_callers_deadline_caps_a_generous_channel() -> None:
    slow = FixedChannel("slow", [1], delay=FOREVER)
    page = await run(with_timeouts((slow, FOREVER * 1000), (FixedChannel("b", [2]), 50.0)), seconds=0.1)
    assert page.degraded == ("channel:slow",)
    assert page.items.items.tolist() == [2]


async def test_a_channel_deaf_to_cancellation_delays_nobody() -> None:
    released = asyncio.Event()

    class Deaf(FixedChannel):
        async def recall(self, query: object, k: int) -> Columns:
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    self.cancelled = True
            return columns([9])

    deaf = Deaf("deaf")
    page = await run(with_timeouts((deaf, 20.0), (FixedChannel("b", [2]), 5000.0)))
    assert page.items.items.tolist() == [2]
    await asyncio.sleep(0)
    assert deaf.cancelled
    released.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [record.stage for record in page.trace] == ["channel:deaf", "channel:b", "fusion"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DependencyError("index is gone"), "failed"),
        (TimeoutError("no answer in 5 ms"), "timeout"),
        (asyncio.CancelledError(), "failed"),
    ],
)
async def test_a_failed_dependency_of_a_channel_degrades(error: BaseException, outcome: str) -> None:
    page = await run(pipeline(FixedChannel("a", error=error), FixedChannel("b", [2])))
    assert page.items.items.tolist() == [2]
    assert page.degraded == ("channel:a",)
    record = next(record for record in page.trace if record.stage == "channel:a")
    assert record.outcome == outcome
    assert record.count_out == 0
    assert str(error) in record.detail


async def test_a_channel_of_which_a_part_did_not_answer_counts_and_is_named() -> None:
    answer = columns([3, 1])._replace(missing="part 2 of 3: gone")
    page = await run(pipeline(FixedChannel("a", answer=answer), FixedChannel("b", [2])))
    assert page.items.items.tolist() == [3, 1, 2]
    assert page.degraded == ("channel:a:partial",)
    record = next(record for record in page.trace if record.stage == "channel:a")
    assert (record.outcome, record.detail, record.count_out) == ("partial", "part 2 of 3: gone", 2)
    backfill = Backfill(FixedChannel("hot", answer=answer), limit=10)
    page = await run(pipeline(FixedChannel("a", [7]), backfill=backfill), page_size=3)
    assert page.degraded == ("channel:hot:partial",)


async def test_a_channel_that_returns_nothing_at_all_is_a_bug_and_no_empty_answer() -> None:
    class Forgetful(FixedChannel):
        async def recall(self, query: object, k: int) -> Columns:
            return None  # type: ignore[return-value]

    with pytest.raises(StageBug, match="channel:a failed: ContractError: it returned nothing"):
        await run(pipeline(Forgetful("a"), FixedChannel("b", [2])))
    backfill = Backfill(Forgetful("a"), limit=10)
    with pytest.raises(StageBug, match="backfill:a failed: ContractError: it returned nothing"):
        await run(pipeline(FixedChannel("a"), backfill=backfill), page_size=3)


async def test_a_bug_in_a_channel_ends_the_run_and_cancels_the_others() -> None:
    cause = KeyError("typo")
    other = FixedChannel("other", delay=FOREVER)
    metrics = RecordingMetrics()
    with pytest.raises(StageBug) as caught:
        await run(pipeline(FixedChannel("first", error=cause, delay=0.0), other, metrics=metrics))
    assert caught.value.stage == "channel:first"
    assert caught.value.cause is cause
    assert caught.value.__cause__ is cause
    assert caught.value.cause.__traceback__ is not None
    await asyncio.sleep(0)
    assert other.cancelled


async def test_a_bug_carries_the_trace_of_what_ran_before() -> None:
    scorer = RuleScorer(float, error=ZeroDivisionError())
    metrics = RecordingMetrics()
    with pytest.raises(StageBug, match="ranking failed: ZeroDivisionError") as caught:
        await run(pipeline(FixedChannel("a", [1]), ranking=Ranking(scorer, 5000.0), metrics=metrics))
    assert [record.stage for record in caught.value.trace] == ["channel:a", "fusion", "ranking"]
    assert [record for _, record in metrics.stages] == list(caught.value.trace)
    assert caught.value.trace[-1].outcome == "failed"
    assert caught.value.trace[-1].detail == "bug: ZeroDivisionError: "
    assert metrics.pages == []


async def test_a_channel_that_raises_before_it_is_awaited_is_a_bug_too() -> None:
    class NotAsync(FixedChannel):
        def recall(self, query: object, k: int) -> Columns:
            raise AttributeError("no table")

    with pytest.raises(StageBug, match="channel:sync failed: AttributeError: no table"):
        await run(pipeline(NotAsync("sync")))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (columns([1, 2, 1]), "item 1 recalled twice"),
        (columns([1, 0]), "item 0 recalled"),
        (columns([5, -1]), "item -1 recalled"),
        (columns(range(1, 102)), "101 items recalled where at most 100"),
        (Columns(EMPTY_RECALL.items, np.ones(1, np.float32), EMPTY_RECALL.triggers), "differ in length"),
        (Columns(np.array([1]), np.ones(1, np.float32), np.zeros(1, np.int32)), "int64"),
        (Columns(np.ones((1, 1), np.int32), np.ones(1, np.float32), np.zeros(1, np.int32)), "one dimension"),
    ],
)
async def test_a_channel_that_breaks_its_contract_is_a_bug(answer: Columns, message: str) -> None:
    with pytest.raises(StageBug, match=message) as caught:
        await run(pipeline(FixedChannel("bad", answer=answer)))
    assert caught.value.stage == "channel:bad"
    assert isinstance(caught.value.cause, ContractError)


@pytest.mark.parametrize(
    ("scorer", "timeout_ms", "outcome"),
    [
        (RuleScorer(float, error=DependencyError("triton is down")), 5000.0, "failed"),
        (RuleScorer(float, error=TimeoutError()), 5000.0, "timeout"),
        (RuleScorer(float, delay=FOREVER), 20.0, "timeout"),
    ],
)
async def test_without_scores_recall_order_stands(
    scorer: RuleScorer, timeout_ms: float, outcome: str
) -> None:
    page = await run(pipeline(FixedChannel("a", [3, 1, 2]), ranking=Ranking(scorer, timeout_ms)))
    assert page.items.items.tolist() == [3, 1, 2]
    assert np.isnan(page.items.score).all()
    assert page.degraded == ("ranking",)
    assert page.model == ("", "")
    assert outcomes(page)["ranking"] == outcome


async def test_ranking_is_skipped_where_recall_left_no_time() -> None:
    class Blocking(FixedChannel):
        async def recall(self, query: object, k: int) -> Columns:
            time.sleep(0.1)  # noqa: ASYNC251
            return columns(self.items)

    scorer = RuleScorer(float)
    page = await run(pipeline(Blocking("a", [1, 2]), ranking=Ranking(scorer, 5000.0)), seconds=0.05)
    assert page.items.items.tolist() == [1, 2]
    assert page.degraded == ("ranking",)
    assert outcomes(page)["ranking"] == "skipped"
    assert scorer.scored == []


@pytest.mark.parametrize(
    "answer", [np.ones(2, np.float32), np.ones(3, np.float64), np.ones((3, 1), np.float32)]
)
async def test_scores_of_the_wrong_shape_or_type_are_a_bug(answer: np.ndarray) -> None:
    scorer = RuleScorer(float, answer=answer)
    with pytest.raises(StageBug, match=r"float32\[3\] were expected"):
        await run(pipeline(FixedChannel("a", [1, 2, 3]), ranking=Ranking(scorer, 5000.0)))


async def test_a_filter_whose_dependency_failed_keeps_all_and_is_named() -> None:
    broken = RuleFilter("stock", lambda item: False, error=DependencyError("no stock service"))
    page = await run(pipeline(FixedChannel("a", [1, 2]), filters=(broken,)))
    assert page.items.items.tolist() == [1, 2]
    assert page.degraded == ("filter:stock",)


async def test_a_filter_with_a_bug_ends_the_run_also_in_backfill() -> None:
    broken = RuleFilter("stock", lambda item: False, error=IndexError("oops"))
    with pytest.raises(StageBug, match="filter:stock"):
        await run(pipeline(FixedChannel("a", [1, 2]), filters=(broken,)))
    with pytest.raises(StageBug, match="filter:stock"):
        await run(pipeline(FixedChannel("a"), filters=(broken,), backfill=Backfill(FixedChannel("hot", [1]))))


async def test_a_mask_of_the_wrong_type_is_a_bug() -> None:
    class Positions(RuleFilter):
        def keep(self, query: object, candidates: object) -> np.ndarray:
            return np.array([0, 1])

    with pytest.raises(StageBug, match=r"bool\[2\] was expected, got int64"):
        await run(pipeline(FixedChannel("a", [1, 2]), filters=(Positions("odd", bool),)))


async def test_a_failed_backfill_leaves_a_short_page_and_is_named() -> None:
    hot = FixedChannel("hot", error=DependencyError("no table"))
    page = await run(pipeline(FixedChannel("a", [1]), backfill=Backfill(hot)))
    assert page.items.items.tolist() == [1]
    assert page.degraded == ("channel:hot",)
    assert outcomes(page)["backfill:hot"] == "failed"


async def test_a_late_backfill_is_named_once() -> None:
    hot = FixedChannel("hot", delay=FOREVER)
    page = await run(with_timeouts((hot, 10.0), backfill=Backfill(hot)), seconds=0.1)
    assert page.degraded == ("channel:hot",)
    assert outcomes(page) == {"channel:hot": "timeout", "fusion": "ok", "backfill:hot": "timeout"}


async def test_a_bad_answer_in_backfill_is_a_bug() -> None:
    hot = FixedChannel("hot", answer=columns([0]))
    with pytest.raises(StageBug, match="backfill:hot failed: ContractError"):
        await run(pipeline(FixedChannel("a"), backfill=Backfill(hot)))


async def test_a_reranker_whose_dependency_failed_changes_nothing_and_is_named() -> None:
    broken = FixedOrder("scatter", range, error=DependencyError("no categories"))
    page = await run(pipeline(FixedChannel("a", [2, 1]), rerankers=(broken,)))
    assert page.items.items.tolist() == [2, 1]
    assert page.degraded == ("rerank:scatter",)


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0, 0, 1], "comes twice"),
        ([0, 1], "2 positions given where 3 candidates"),
        ([0, 1, 3], "outside"),
        ([0, 1, -1], "outside"),
    ],
)
async def test_a_reranker_that_loses_or_invents_positions_is_a_bug(
    positions: list[int], message: str
) -> None:
    broken = FixedOrder("bad", lambda n: positions)
    with pytest.raises(StageBug, match=message) as caught:
        await run(pipeline(FixedChannel("a", [1, 2, 3]), rerankers=(broken,)))
    assert caught.value.stage == "rerank:bad"


async def test_cancelling_the_run_cancels_its_channels() -> None:
    channels = [FixedChannel("a", delay=FOREVER), FixedChannel("b", delay=FOREVER)]
    running = asyncio.create_task(run(pipeline(*channels), seconds=FOREVER))
    await some_steps()
    assert all(channel.asked for channel in channels)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert all(channel.cancelled for channel in channels)
    assert len(asyncio.all_tasks()) == 1


async def test_cancelling_the_run_while_it_scores_is_passed_on() -> None:
    scorer = RuleScorer(float, delay=FOREVER)
    tested = pipeline(FixedChannel("a", [1]), ranking=Ranking(scorer, FOREVER * 1000))
    running = asyncio.create_task(run(tested, seconds=FOREVER))
    await some_steps()
    assert scorer.scored
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
