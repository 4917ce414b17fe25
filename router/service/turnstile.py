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
from contextlib import contextmanager

from router.pipeline.trace import Clock

TURNS_WITHOUT_ARRIVAL = 3
"""`grpc.aio` needs two turns of the loop to take in a call that waits."""
LONGEST_HOLD_S = 0.005
"""Arrivals that never pause hold a call back this long: about what one costs, so half the loop is left."""


class Turnstile:
    """Hands out turns on one event loop; every method belongs to it."""

    def __init__(
        self,
        most_working: int,
        is_full: Callable[[], bool],
        arrived: Callable[[], int],
        clock: Clock,
    ) -> None:
        """
        most_working  calls that may compute at once
        is_full       whether the loop has more to do than it can
        arrived       calls that have come in so far, refused ones included
        clock         monotonic seconds
        """
        self._most_working = most_working
        self._is_full = is_full
        self._arrived = arrived
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._watching = False
        self._held_since = 0.0
        self._last_arrived = 0
        self._turns_without_arrival = 0
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
        """Sees to it that waiting calls are begun, once a turn of the loop, while there is room."""
        if self._watching or not self._waiting or self.working >= self._most_working:
            return
        self._watching = True
        self._held_since = self._clock()
        self._turns_without_arrival = 0
        self._last_arrived = self._arrived()
        self._begin_next()

    def _begin_next(self) -> None:
        while self._waiting and self._waiting[0].cancelled():
            self._waiting.popleft()
        if not self._waiting or self.working >= self._most_working:
            self._watching = False
            return
        if self._may_begin():
            # The turn is handed over now: who enters before the waiter has run must not take it.
            self.working += 1
            self._waiting.popleft().set_result(None)
            self._held_since = self._clock()
        asyncio.get_running_loop().call_soon(self._begin_next)

    def _may_begin(self) -> bool:
        if not self._is_full() or self._clock() - self._held_since >= LONGEST_HOLD_S:
            return True
        arrived = self._arrived()
        if arrived != self._last_arrived:
            self._last_arrived = arrived
            self._turns_without_arrival = 0
        else:
            self._turns_without_arrival += 1
        return self._turns_without_arrival >= TURNS_WITHOUT_ARRIVAL


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
