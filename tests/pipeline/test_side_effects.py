"""Side effects: bounded, counted, and of no consequence to the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

import pytest

from pipeline.side_effects import SideEffects
from tests.pipeline.stand_ins import RecordingMetrics


@dataclass
class Noting:
    name: str
    gate: asyncio.Event | None = None
    error: Exception | None = None
    only: str = ""
    noted: list[tuple[str, str]] = field(default_factory=list)

    def applies_to(self, query: str, response: str) -> bool:
        return response.startswith(self.only)

    async def after(self, query: str, response: str) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.noted.append((query, response))


async def test_schedule_returns_before_anything_ran_and_all_run() -> None:
    effects, metrics = [Noting("log"), Noting("count")], RecordingMetrics()
    tested = SideEffects(effects, time.monotonic, metrics=metrics)
    tested.schedule("home", "query", "answer")
    assert [effect.noted for effect in effects] == [[], []]
    assert await tested.drain(5000.0) == 0
    assert [effect.noted for effect in effects] == [[("query", "answer")]] * 2
    assert metrics.side_effects == [("home", "log", "ok"), ("home", "count", "ok")]
    assert len(tested) == 0


async def test_what_does_not_apply_to_an_answer_is_no_task_and_is_not_counted() -> None:
    effect, metrics = Noting("log", only="b"), RecordingMetrics()
    tested = SideEffects([effect], time.monotonic, metrics=metrics)
    tested.schedule("home", "query", "answer")
    assert len(tested) == 0
    tested.schedule("home", "query", "better answer")
    assert await tested.drain(5000.0) == 0
    assert effect.noted == [("query", "better answer")]
    assert metrics.side_effects == [("home", "log", "ok")]


async def test_a_failure_is_counted_and_logged_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    good, metrics = Noting("good"), RecordingMetrics()
    tested = SideEffects(
        [Noting("bad", error=ValueError("full disk")), good], time.monotonic, metrics=metrics
    )
    with caplog.at_level(logging.ERROR):
        tested.schedule("home", "query", "answer")
        await tested.drain(5000.0)
    assert good.noted
    assert ("home", "bad", "failed") in metrics.side_effects
    assert "full disk" in caplog.text


async def test_what_exceeds_the_bound_is_dropped_and_counted() -> None:
    gate = asyncio.Event()
    effect, metrics = Noting("slow", gate=gate), RecordingMetrics()
    tested = SideEffects([effect], time.monotonic, outstanding=2, metrics=metrics)
    for answer in "abc":
        tested.schedule("home", "query", answer)
    assert len(tested) == 2
    assert metrics.side_effects == [("home", "slow", "dropped")]
    gate.set()
    await tested.drain(5000.0)
    assert effect.noted == [("query", "a"), ("query", "b")]
    tested.schedule("home", "query", "d")
    await tested.drain(5000.0)
    assert effect.noted[-1] == ("query", "d")


async def test_one_that_hangs_is_stopped_at_its_timeout() -> None:
    metrics = RecordingMetrics()
    tested = SideEffects(
        [Noting("hangs", gate=asyncio.Event())], time.monotonic, timeout_ms=10, metrics=metrics
    )
    tested.schedule("home", "query", "answer")
    assert await tested.drain(5000.0) == 0
    assert metrics.side_effects == [("home", "hangs", "timeout")]


async def test_drain_cancels_what_does_not_end() -> None:
    metrics = RecordingMetrics()
    tested = SideEffects([Noting("hangs", gate=asyncio.Event())], time.monotonic, metrics=metrics)
    tested.schedule("home", "query", "answer")
    assert await tested.drain(10.0) == 1
    assert metrics.side_effects == [("home", "hangs", "dropped")]
    assert len(tested) == 0
