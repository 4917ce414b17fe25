"""Separates an outage of a dependency from a bug, for work that a stage awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, TypeVar

from pipeline.current_stage import STAGE
from pipeline.stages import DependencyError, StageBug
from pipeline.trace import Outcome, Trace

T = TypeVar("T")

OUTAGES = (DependencyError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Outage:
    """Why there is no result: "failed", "timeout" or "skipped", and what went wrong."""

    outcome: Outcome
    detail: str


LATE = Outage("timeout", "its deadline passed")


def record_outage(trace: Trace, stage: str, began: float, count_in: int, outage: Outage) -> None:
    """Records that a stage that began at `began` gave no result, and names it in `degraded`.

    Candidates pass a failed stage unchanged; a channel gives none.
    """
    kept = 0 if stage.startswith(("channel:", "backfill:")) else count_in
    trace.record(stage, began, count_in, kept, outcome=outage.outcome, detail=outage.detail)
    trace.degrade(stage.replace("backfill:", "channel:"))


async def attempt(stage: str, work: Callable[[], Awaitable[T]]) -> T | Outage:
    """The result of `work`, or why its dependency gave none.

    Raises `StageBug` of `stage` where it fails for another reason, and `CancelledError` where the running
    task is cancelled.
    """
    STAGE.set(stage)
    try:
        with bugs_of(stage, apart_from=OUTAGES):
            result = await work()
            if is_left_behind():
                raise asyncio.CancelledError
            return result
    except TimeoutError as error:
        outage = Outage("timeout", str(error) or "a dependency timed out")
    except DependencyError as error:
        outage = Outage("failed", str(error))
    except asyncio.CancelledError:
        # A client library cancels its own call where its connection is closed; only a cancellation
        # aimed at this task may end it.
        outage = Outage("failed", "its call was cancelled from within")
    if is_left_behind():
        raise asyncio.CancelledError
    return outage


def is_left_behind() -> bool:
    """Whether somebody has cancelled the running task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class bugs_of:
    """Turns what its block raises into a bug of `stage`, the kinds in `apart_from` excepted."""

    __slots__ = ("apart_from", "stage")

    def __init__(self, stage: str, apart_from: tuple[type[Exception], ...] = ()) -> None:
        """For the block of `stage`."""
        self.stage = stage
        self.apart_from = apart_from

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> Literal[False]:
        """Raises `StageBug` of an exception that is none of `apart_from`."""
        if isinstance(error, Exception) and not isinstance(error, (StageBug, *self.apart_from)):
            raise StageBug(self.stage, error) from error
        return False
