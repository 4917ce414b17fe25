"""One call of a scoring model for several shoppers, where calls would queue.

A call that finds none of its model's version under way goes at once, alone. Those that come meanwhile wait
for its end, and then go together; none waits longer for that than a bound. So nothing waits where nothing
queues, and the more queues the more shoppers share what a call costs beside its graph.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import DependencyError
from router.ranking.circuit_breaker import NoAnswer
from triton_repo.contract import CANDIDATES, ROWS

Inputs = Mapping[str, NDArray[Any]]
Scores = NDArray[np.float32]
Call = Callable[[Inputs, float], Awaitable[Scores]]
"""(inputs, seconds to wait) → scores float32[n] of all candidates; raises `DependencyError`."""

MOST_CANDIDATES = 4_096
"""Of one shared call."""


@dataclass(frozen=True, slots=True)
class _Lead:
    """Told to one that waits: it makes the call, for itself and others that wait."""


@dataclass(frozen=True, slots=True)
class _Alone:
    """Told to one that waits: the shared call failed for a reason that may be another's; it calls alone."""


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """Told to those whose shared call went unanswered."""

    why: str


_LEAD, _ALONE = _Lead(), _Alone()


@dataclass(slots=True, eq=False)
class _Request:
    """One shopper's request; times are seconds on the clock.

    until  when it has waited for scores long enough
    due    when it has waited for the call under way long enough
    turn   ends with its scores, or with what it is to do
    """

    inputs: Inputs
    until: float
    due: float
    turn: asyncio.Future[Scores | _Lead | _Alone | _Unanswered]

    @property
    def count(self) -> int:
        return int(self.inputs[CANDIDATES].size)


@dataclass(slots=True)
class _Line:
    """Requests for one version of a model.

    calls    under way
    leading  whether a waiting request was chosen to make the next call, and has not begun
    """

    calls: int = 0
    leading: bool = False
    waiting: deque[_Request] = field(default_factory=deque)


class SharedCalls:
    """The calls of one process, for the coroutines of one event loop."""

    def __init__(
        self,
        most_shoppers: int,
        longest_wait_s: float,
        released_while: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nobody waits yet.

        Args:
            most_shoppers: of one call; 1: every call is made at once, alone.
            longest_wait_s: seconds that a request waits for the call under way at most; it then goes
                beside it.
            released_while: entered while a request waits, so that others compute meanwhile.
            clock: monotonic seconds.
        """
        self._most_shoppers = most_shoppers
        self._longest_wait_s = longest_wait_s
        self._released_while = released_while
        self._clock = clock
        self._lines: dict[tuple[str, str], _Line] = {}

    async def score(self, model: str, version: str, inputs: Inputs, timeout_s: float, call: Call) -> Scores:
        """Scores float32[n] of one shopper's n candidates, as `call` gives them for these inputs alone.

        Args:
            model: its name.
            version: one of its versions.
            inputs: of one shopper, by name; the candidates' are `candidate_item` and `candidate_row`, and
                the first axis of all others is the shopper's.
            timeout_s: longest wait, seconds.
            call: makes a call; of a shared one that of the request that leads it.

        Raises:
            DependencyError: what `call` raised. `NoAnswer` where there was none within `timeout_s`.
        """
        if self._most_shoppers == 1:
            return await call(inputs, timeout_s)
        line = self._lines.setdefault((model, version), _Line())
        if not line.calls and not line.leading:
            return await self._alone(line, inputs, timeout_s, call)
        loop = asyncio.get_running_loop()
        now, wait_s = self._clock(), min(self._longest_wait_s, timeout_s)
        request = _Request(inputs, now + timeout_s, now + wait_s, loop.create_future())
        line.waiting.append(request)
        bound = loop.call_later(wait_s, self._let_next_lead, line)
        try:
            with self._released_while():
                turn = await request.turn
        except asyncio.CancelledError:
            if _is_chosen_to_lead(request):
                line.leading = False
                self._let_next_lead(line)
            raise
        finally:
            bound.cancel()
            if request in line.waiting:
                line.waiting.remove(request)
        if isinstance(turn, _Unanswered):
            raise NoAnswer(turn.why)
        if isinstance(turn, _Lead):
            line.leading = False
            return await self._together(line, request, call)
        if isinstance(turn, _Alone):
            return await self._alone(line, inputs, request.until - self._clock(), call)
        return turn

    async def _alone(self, line: _Line, inputs: Inputs, timeout_s: float, call: Call) -> Scores:
        line.calls += 1
        try:
            return await call(inputs, max(timeout_s, 0.0))
        finally:
            self._ended(line)

    async def _together(self, line: _Line, leader: _Request, call: Call) -> Scores:
        others = self._take(line, leader.count)
        if line.waiting and line.waiting[0].due <= self._clock():
            self._let_next_lead(line)
        if not others:
            return await self._alone(line, leader.inputs, leader.until - self._clock(), call)
        requests = [leader, *others]
        line.calls += 1
        try:
            until = min(request.until for request in requests)
            scores = await call(joined([each.inputs for each in requests]), max(until - self._clock(), 0.0))
        except NoAnswer as error:
            for request in others:
                if not request.turn.done():
                    request.turn.set_result(_Unanswered(str(error)))
            raise
        except DependencyError:
            _tell_alone(others)
            return await call(leader.inputs, max(leader.until - self._clock(), 0.0))
        except BaseException:
            # Cancelled, or a bug, which is whose it is.
            _tell_alone(others)
            raise
        else:
            ends = np.cumsum([request.count for request in requests])
            for request, part in zip(others, np.split(scores, ends[:-1])[1:], strict=True):
                if not request.turn.done():
                    request.turn.set_result(part)
            own: Scores = scores[: leader.count]
            return own
        finally:
            self._ended(line)

    def _take(self, line: _Line, count: int) -> list[_Request]:
        """Those that wait, in their order, as far as they fit beside `count` candidates."""
        taken: list[_Request] = []
        while line.waiting and len(taken) + 1 < self._most_shoppers:
            request = line.waiting[0]
            if request.turn.done():
                # Cancelled.
                line.waiting.popleft()
                continue
            count += request.count
            if count > MOST_CANDIDATES:
                break
            taken.append(line.waiting.popleft())
        return taken

    def _ended(self, line: _Line) -> None:
        line.calls -= 1
        if not line.calls:
            self._let_next_lead(line)

    def _let_next_lead(self, line: _Line) -> None:
        """Chooses the request that waits longest to make a call, unless a chosen one will take it along."""
        while line.waiting and not line.leading:
            request = line.waiting.popleft()
            if not request.turn.done():
                line.leading = True
                request.turn.set_result(_LEAD)


def joined(requests: Sequence[Inputs]) -> dict[str, NDArray[Any]]:
    """The inputs of one call for several shoppers, a row each; candidates name their shopper's row."""
    both = {
        name: np.concatenate([inputs[name] for inputs in requests]) for name in requests[0] if name != ROWS
    }
    counts = [inputs[CANDIDATES].size for inputs in requests]
    return both | {ROWS: np.repeat(np.arange(len(requests), dtype=np.int32), counts)}


def _is_chosen_to_lead(request: _Request) -> bool:
    return request.turn.done() and not request.turn.cancelled() and request.turn.result() is _LEAD


def _tell_alone(requests: Sequence[_Request]) -> None:
    for request in requests:
        if not request.turn.done():
            request.turn.set_result(_ALONE)
