"""How the caller's remaining time is divided among the stages, and how work is held to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.current_stage import STAGE
from pipeline.stages import DeadlineExceeded
from pipeline.trace import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Points in time, in seconds on the caller's clock, by which a stage has to be done."""

    recall: float
    prerank: float
    ranking: float
    page: float


@dataclass(frozen=True, slots=True)
class Division:
    """Shares of the caller's remaining time.

    reserve_ms     milliseconds kept back for encoding the answer and its way home; never more than half of
                   what remains, so that a hurried caller gets an attempt
    recall_share   share of the rest after which no channel is waited for, 0 to 1
    rerank_share   share of the rest kept for arranging the page, 0 to 1
    prerank_share  share of the rest, after recall's, in which candidates are narrowed to those ranked; as
                   much of it as the other two leave

    What recall leaves unused is prerank's, and what both leave is ranking's: cutoffs are points in time, not
    allowances.
    """

    reserve_ms: float = 5.0
    recall_share: float = 0.5
    rerank_share: float = 0.1
    prerank_share: float = 0.15

    def __post_init__(self) -> None:
        """Raises ValueError where the shares do not fit together."""
        if self.reserve_ms < 0:
            raise ValueError(f"reserve_ms must not be negative, got {self.reserve_ms}")
        if not 0 < self.recall_share <= 1 - self.rerank_share or not 0 <= self.rerank_share < 1:
            raise ValueError(
                "recall_share must be above 0 and recall_share + rerank_share at most 1, got "
                f"{self.recall_share} and {self.rerank_share}"
            )
        if not 0 <= self.prerank_share <= 1:
            raise ValueError(f"prerank_share must be from 0 to 1, got {self.prerank_share}")

    def cutoffs(self, now: float, deadline: float) -> Cutoffs:
        """The cutoffs of a request at `now` that must be answered by `deadline` (seconds, same clock).

        Raises `DeadlineExceeded` where nothing remains.
        """
        remaining = deadline - now
        if remaining <= 0:
            raise DeadlineExceeded(f"the deadline passed {-remaining * 1000:.1f} ms before the run began")
        available = remaining - min(self.reserve_ms / 1000.0, remaining / 2)
        ranking_share = 1 - self.rerank_share
        return Cutoffs(
            now + available * self.recall_share,
            now + available * min(self.recall_share + self.prerank_share, ranking_share),
            now + available * ranking_share,
            now + available,
        )


async def run_until(
    work: Sequence[Coroutine[Any, Any, T]],
    until: Sequence[float],
    clock: Clock,
    waits: Sequence[bool] | None = None,
) -> list[asyncio.Future[T] | None]:
    """Runs coroutines concurrently, `work[i]` until the point in time `until[i]` (seconds on `clock`).

    Returns for each its finished future, or None where its time ran out: it is cancelled and left behind, so
    one that is slow to take the hint delays nobody. Every coroutine gets at least its first step, whatever
    the time. The first exception stops the rest and is raised; so does a cancellation from outside.

    `waits[i]`: False where `work[i]` never waits; it runs in the calling task once the others have begun to
    wait, and is never late. Default: all may wait.
    """
    tasks = [
        asyncio.ensure_future(coroutine) if waits is None or waits[number] else None
        for number, coroutine in enumerate(work)
    ]
    limits = {task: limit for task, limit in zip(tasks, until, strict=True) if task is not None}
    pending = set(limits)
    late: set[asyncio.Task[T]] = set()
    ended: list[asyncio.Future[T] | None] = [*tasks]
    try:
        if len(limits) < len(tasks):
            if pending:
                # The calls of those that wait are under way before the others take the processor.
                await asyncio.sleep(0)
            await _run_at_once(work, ended)
        while pending:
            next_limit = min(limits[task] for task in pending)
            if all(task.done() for task in pending):
                # What did not have to wait has ended meanwhile; `asyncio.wait` would take a turn of the loop.
                done, pending = pending, set()
            else:
                done, pending = await asyncio.wait(
                    pending,
                    timeout=max(0.0, next_limit - clock()),
                    return_when=asyncio.FIRST_EXCEPTION,
                )
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error
            overdue = {task for task in pending if limits[task] <= next_limit}
            late |= overdue
            pending -= overdue
    finally:
        for task in pending | late:
            abandon(task)
        for coroutine, begun in zip(work, tasks, strict=True):
            if begun is None:
                # After a failure or a cancellation some have not begun.
                coroutine.close()
    return [None if future in late else future for future in ended]


async def _run_at_once(work: Sequence[Coroutine[Any, Any, T]], ended: list[asyncio.Future[T] | None]) -> None:
    """Runs the coroutines that have no future in `ended`, in turn, and puts their finished ones there."""
    stage = STAGE.get()
    at_once = [number for number, future in enumerate(ended) if future is None]
    try:
        for number in at_once:
            future = asyncio.get_running_loop().create_future()
            future.set_result(await work[number])
            ended[number] = future
    finally:
        STAGE.set(stage)


def abandon(task: asyncio.Task[Any]) -> None:
    """Cancels a task nobody waits for any more; an exception it still raises is logged."""
    task.cancel()
    task.add_done_callback(_log_late_exception)


def _log_late_exception(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("work left behind at its deadline ended with an exception", exc_info=error)
