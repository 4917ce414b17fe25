"""Limits how many calls compute at once on one event loop; the others wait, first come, first served.

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
from contextvars import ContextVar

from pipeline.trace import Clock

PAUSE_S = 0.0005
"""A call waiting to be accepted arrives within this time: `grpc.aio` hands it on through two threads."""
LONGEST_HOLD_S = 0.01
"""Arrivals that never pause hold a call back this long, so that a good part of the loop is left for calls."""


class ComputeLimiter:
    """Hands out compute slots of one event loop; every method must be called on that loop."""

    def __init__(
        self,
        most_working: int,
        is_full: Callable[[], bool],
        arrived: Callable[[], int],
        clock: Clock,
        holding: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """A limiter without a call.

        Args:
            most_working: calls that may compute at once.
            is_full: whether the event loop has more work than it can do.
            arrived: number of calls that arrived so far, including refused ones.
            clock: monotonic seconds.
            holding: entered while calls are held back though none computes on their behalf.
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
        """Calls that wait for a slot, and those that gave up and were not yet passed over."""
        return len(self._waiting)

    async def acquire(self) -> ComputeSlot:
        """Waits for a slot, which the caller gives back with `ComputeSlot.release`.

        `released_while` finds it in the tasks that the calling task creates from now on.
        """
        slot = await self._acquire()
        _HELD_SLOT.set(slot)
        return slot

    def released_while(self) -> AbstractContextManager[None]:
        """While the block waits for another process, other calls may compute in the running call's slot.

        Without effect in a task that belongs to no call, or whose call has released its slot.
        """
        slot = _HELD_SLOT.get()
        return nullcontext() if slot is None else slot.released_while()

    async def _acquire(self) -> ComputeSlot:
        if not self._waiting and self.working < self._most_working and not self._is_full():
            self.working += 1
            return ComputeSlot(self)
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._watch()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                # The slot was assigned in the same moment as the cancellation.
                self.give_back()
            raise
        return ComputeSlot(self)

    def take_back(self) -> None:
        """A call that had released its slot computes again; it does not wait a second time."""
        self.working += 1

    def give_back(self) -> None:
        """A call has ended or waits for another process: the next may compute."""
        self.working -= 1
        self._watch()

    def _watch(self) -> None:
        """Starts the task that begins waiting calls, where there is room and it does not run yet."""
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
                # Counted now: a call that arrives before the waiter has run must not take the slot.
                self.working += 1
                place.set_result(None)
                return


class ComputeSlot:
    """The slot of one call, several of whose tasks may wait for other processes at the same time."""

    __slots__ = ("_limiter", "_released", "_waiting_tasks")

    def __init__(self, limiter: ComputeLimiter) -> None:
        """A slot that `limiter` has given to a call."""
        self._limiter = limiter
        self._waiting_tasks = 0
        self._released = False

    @contextmanager
    def released_while(self) -> Iterator[None]:
        """While the block waits for another process, another call may compute.

        Without effect once the slot is released: side effects after the answer hold no slot.
        """
        if self._released:
            yield
            return
        self._waiting_tasks += 1
        if self._waiting_tasks == 1:
            self._limiter.give_back()
        try:
            yield
        finally:
            self._waiting_tasks -= 1
            if self._waiting_tasks == 0 and not self._released:
                self._limiter.take_back()

    def release(self) -> None:
        """Gives the slot back."""
        self._released = True
        if self._waiting_tasks == 0:
            self._limiter.give_back()


_HELD_SLOT: ContextVar[ComputeSlot | None] = ContextVar("held_slot", default=None)
"""The slot of the call that the running task works for; None outside calls."""
