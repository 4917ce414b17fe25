"""The division of the caller's time."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.current_stage import STAGE
from pipeline.deadlines import Division, run_until
from pipeline.stages import DeadlineExceeded


def test_reserve_and_shares_come_off_the_remaining_time() -> None:
    cutoffs = Division(reserve_ms=10.0, recall_share=0.5, rerank_share=0.1).cutoffs(100.0, 100.21)
    assert cutoffs.recall == pytest.approx(100.1)
    assert cutoffs.prerank == pytest.approx(100.13)
    assert cutoffs.ranking == pytest.approx(100.18)


@given(
    st.floats(0, 1000),
    st.floats(0.01, 1),
    st.floats(0, 0.99),
    st.floats(0, 1),
    st.floats(0, 1e6),
    st.floats(0.001, 100),
)
def test_cutoffs_lie_in_order_before_the_deadline(
    reserve_ms: float,
    recall_share: float,
    rerank_share: float,
    prerank_share: float,
    now: float,
    remaining: float,
) -> None:
    if recall_share + rerank_share > 1:
        return
    deadline = now + remaining
    cutoffs = Division(reserve_ms, recall_share, rerank_share, prerank_share).cutoffs(now, deadline)
    assert now < cutoffs.recall <= cutoffs.prerank + 1e-9
    assert cutoffs.prerank <= cutoffs.ranking
    assert cutoffs.ranking <= deadline


def test_a_reserve_never_takes_more_than_half() -> None:
    assert Division(50.0, 1.0, 0.0).cutoffs(0.0, 0.010).recall == pytest.approx(0.005)


def test_no_time_left_is_the_callers_failure() -> None:
    with pytest.raises(DeadlineExceeded, match=r"500\.0 ms"):
        Division().cutoffs(1.0, 0.5)


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.95, 0.1), (0.5, -0.1), (0.1, 1.0)])
def test_impossible_shares_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="recall_share"):
        Division(5.0, *shares)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_an_impossible_share_of_prerank_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="prerank_share must be from 0 to 1"):
        Division(prerank_share=share)


def test_a_negative_reserve_is_refused() -> None:
    with pytest.raises(ValueError, match="reserve_ms"):
        Division(-1.0)


async def value(result: int, delay: float | None = None) -> int:
    if delay is not None:
        await asyncio.sleep(delay)
    return result


async def test_work_without_time_still_gets_its_first_step() -> None:
    past = time.monotonic() - 1.0
    tasks = await run_until([value(1), value(2, 3600.0)], [past, past], time.monotonic)
    assert [task.result() if task else None for task in tasks] == [1, None]


async def test_a_clock_that_stands_still_cannot_hold_the_run_up() -> None:
    tasks = await run_until([value(1, 3600.0), value(2)], [0.01, 0.02], lambda: 0.0)
    assert [task.result() if task else None for task in tasks] == [None, 2]


async def test_an_exception_of_work_left_behind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def sulky() -> int:
        try:
            await asyncio.sleep(3600.0)
        except asyncio.CancelledError:
            raise RuntimeError("cannot stop now") from None
        return 0

    with caplog.at_level(logging.WARNING):
        assert await run_until([sulky()], [time.monotonic() + 0.01], time.monotonic) == [None]
        for _ in range(3):
            await asyncio.sleep(0)
    assert "left behind at its deadline" in caplog.text
    assert "cannot stop now" in caplog.text


async def test_nothing_to_run_is_nothing() -> None:
    assert await run_until([], [], time.monotonic) == []


async def test_what_never_waits_runs_while_the_others_wait_and_leaves_no_trace_in_the_context() -> None:
    order: list[str] = []

    async def waiting() -> str:
        order.append("called")
        await asyncio.sleep(0.001)
        order.append("answered")
        return "far"

    async def at_once() -> str:
        assert asyncio.current_task() is caller
        STAGE.set("channel:near")
        order.append("computed")
        return "near"

    caller = asyncio.current_task()
    STAGE.set("recall")
    soon = time.monotonic() + 60
    work = [at_once(), waiting(), at_once()]
    futures = await run_until(work, [soon] * 3, time.monotonic, [False, True, False])
    assert [future.result() for future in futures if future] == ["near", "far", "near"]
    assert order == ["called", "computed", "computed", "answered"]
    assert STAGE.get() == "recall"


async def test_a_bug_of_what_never_waits_stops_all_others() -> None:
    ended = []

    async def waiting() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("waiting")

    async def bug() -> None:
        raise ZeroDivisionError

    async def never_begun() -> None:
        ended.append("never")

    soon = time.monotonic() + 60
    with pytest.raises(ZeroDivisionError):
        await run_until([bug(), waiting(), never_begun()], [soon] * 3, time.monotonic, [False, True, False])
    for _ in range(3):
        await asyncio.sleep(0)
    assert ended == ["waiting"]


async def test_what_never_waits_is_never_late() -> None:
    past = time.monotonic() - 1.0
    (future,) = await run_until([value(1)], [past], time.monotonic, [False])
    assert future is not None
    assert future.result() == 1


async def test_a_cancelled_caller_leaves_nothing_that_has_not_begun() -> None:
    work = [asyncio.sleep(3600), value(1)]
    soon = time.monotonic() + 60
    caller = asyncio.ensure_future(run_until(work, [soon] * 2, time.monotonic, [True, False]))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert inspect.getcoroutinestate(work[1]) == inspect.CORO_CLOSED
