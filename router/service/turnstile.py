"""Who computes now: a few calls at a time, the others wait their turn, first come, first served.

Calls share one event loop. However many of them compute at once, none ends sooner for it; but each turn of
the loop becomes as long as all their steps, and a server takes in about one call a turn. Calls would then
queue where admission does not see them. So few compute at once, and while the loop is full none is begun
before those that wait to be taken in, above all to be refused, have been. The argument:
docs/decisions/overload.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from router.pipeline.trace import Clock

PAUSE_S = 0.0005
"""Whoever waits to be taken in comes within this time: `grpc.aio` hands a call on through two threads."""
LONGEST_HOLD_S = 0.01
"""Arrivals that never pause hold a call back this long, so that a good part of the loop is left for calls."""


class Turnstile:
    """Hands out turns on one event loop; every method belongs to it."""

    def __init__(
        self,
        most_working: int,
        is_full: Callable[[], bool],
        arrived: Callable[[], int],
        clock: Clock,
        holding: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """
        most_working  calls that may compute at once
        is_full       whether the loop has more to do than it can
        arrived       calls that have come in so far, refused ones included
        clock         monotonic seconds
        holding       entered while calls are held back though none computes on their behalf
        """
        self._most_working = most_working
        self._is_full = is_full
        self._arrived = arrived
        self._clock = clock
        self._holding = holding
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._beginner: asyncio.Task[None] | None = None
        self.working = 0
        """Calls that compute; more than the bound while some come back from waiting for an answer."""

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn, and those that gave up and were not yet passed over."""
        return len(self._waiting)

    async def enter(self) -> Turn:
        """Waits for a turn; whoever gets one ends it with `Turn.end`."""
        if not self._waiting and self.working < self._most_working and not self._is_full():
            self.working += 1
            return Turn(self)
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._watch()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                # The turn came in the same moment as the cancellation.
                self.leave()
            raise
        return Turn(self)

    def come_back(self) -> None:
        """A call that was away computes again; it has waited its turn before."""
        self.working += 1

    def leave(self) -> None:
        """A call has ended or waits for an answer from elsewhere: the next may compute."""
        self.working -= 1
        self._watch()

    def _watch(self) -> None:
        """Sees to it that waiting calls are begun while there is room."""
        if self._beginner is None and self._waiting and self.working < self._most_working:
            self._beginner = asyncio.ensure_future(self._begin_waiting())

    async def _begin_waiting(self) -> None:
        try:
            while self._waiting and self.working < self._most_working:
                if self._is_full():
                    with self._holding():
                        await self._arrivals_pause()
                self._begin_next()
                await asyncio.sleep(0)
        finally:
            self._beginner = None

    async def _arrivals_pause(self) -> None:
        began = paused_since = self._clock()
        arrived = self._arrived()
        while (now := self._clock()) - paused_since < PAUSE_S and now - began < LONGEST_HOLD_S:
            await asyncio.sleep(PAUSE_S / 2)
            if self._arrived() != arrived:
                arrived, paused_since = self._arrived(), self._clock()

    def _begin_next(self) -> None:
        while self._waiting and self.working < self._most_working:
            place = self._waiting.popleft()
            if not place.cancelled():
                # The turn is handed over now: who enters before the waiter has run must not take it.
                self.working += 1
                place.set_result(None)
                return


class Turn:
    """The turn of one call, whose parts may wait for answers from elsewhere at the same time."""

    __slots__ = ("_away", "_ended", "_turnstile")

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._away = 0
        self._ended = False

    @contextmanager
    def away(self) -> Iterator[None]:
        """While the block waits for an answer from elsewhere, another call may compute.

        Without effect once the turn has ended: what is done after the answer belongs to no turn.
        """
        if self._ended:
            yield
            return
        self._away += 1
        if self._away == 1:
            self._turnstile.leave()
        try:
            yield
        finally:
            self._away -= 1
            if self._away == 0 and not self._ended:
                self._turnstile.come_back()

    def end(self) -> None:
        """Ends the turn."""
        self._ended = True
        if self._away == 0:
            self._turnstile.leave()
