"""Work done once the answer has left: never slows it, never fails it, never piles up without bound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from pipeline.metrics import NoMetrics, SideEffectOutcome, StageMetrics
from pipeline.stages import SideEffect
from pipeline.trace import Clock

log = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")


class SideEffects(Generic[Q, R]):
    """Runs side effects as background tasks of the running event loop.

    effects      what to do after each answer
    outstanding  most tasks under way at once; what would exceed it is dropped, counted and logged
    timeout_ms   milliseconds after which one is cancelled
    clock        seconds, monotonic
    """

    def __init__(
        self,
        effects: Sequence[SideEffect[Q, R]],
        clock: Clock,
        *,
        outstanding: int = 1000,
        timeout_ms: float = 5000.0,
        metrics: StageMetrics | None = None,
    ) -> None:
        """Nothing is under way yet."""
        self._effects = tuple(effects)
        self._clock = clock
        self._outstanding = outstanding
        self._timeout = timeout_ms / 1000.0
        self._metrics: StageMetrics = metrics or NoMetrics()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Tasks under way."""
        return len(self._tasks)

    def schedule(self, pipeline: str, query: Q, response: R) -> None:
        """Begins the side effects that apply to one answer; returns at once.

        Call it when the answer has left.
        """
        for effect in self._effects:
            if not effect.applies_to(query, response):
                continue
            if len(self._tasks) >= self._outstanding:
                log.warning(
                    "side effect %s of %s dropped: %d are under way",
                    effect.name,
                    pipeline,
                    len(self._tasks),
                )
                self._metrics.side_effect(pipeline, effect.name, "dropped", 0.0)
                continue
            task: asyncio.Task[Any] = asyncio.create_task(self._run(pipeline, effect, query, response))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self, timeout_ms: float) -> int:
        """Waits at most `timeout_ms` milliseconds for what is under way; cancels and counts the rest."""
        if not self._tasks:
            return 0
        _, left = await asyncio.wait(self._tasks, timeout=timeout_ms / 1000.0)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    async def _run(self, pipeline: str, effect: SideEffect[Q, R], query: Q, response: R) -> None:
        began = self._clock()
        outcome: SideEffectOutcome = "ok"
        try:
            async with asyncio.timeout(self._timeout):
                await effect.after(query, response)
        except asyncio.CancelledError:
            self._metrics.side_effect(pipeline, effect.name, "dropped", (self._clock() - began) * 1000.0)
            raise
        except TimeoutError:
            outcome = "timeout"
            log.warning("side effect %s of %s ran out of time", effect.name, pipeline)
        except Exception:
            outcome = "failed"
            log.exception("side effect %s of %s failed", effect.name, pipeline)
        self._metrics.side_effect(pipeline, effect.name, outcome, (self._clock() - began) * 1000.0)
