"""The deadlines of calls under way, watched by one timer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from loadtest.call import Call
from loadtest.durations import MILLISECOND, SECOND

_FIRST_CHECK_S = 0.01
_LONGEST_CHECK_S = 0.1


class Deadlines:
    """Hands over each call that has not ended by its `deadline_ns`.

    All deadlines of a test are equally far away, so they fall due in the order of the starts: a queue and one
    timer do for any number of calls.
    """

    def __init__(self, too_late: Callable[[Call], None], clock_ns: Callable[[], int]) -> None:
        """Calls `too_late` for each call that has not ended at its deadline; needs a running event loop."""
        self._too_late = too_late
        self._clock_ns = clock_ns
        self._loop = asyncio.get_running_loop()
        self._calls: deque[Call] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call: Call) -> None:
        """Watches a call whose deadline is not before those added so far."""
        self._calls.append(call)

    def watch(self) -> None:
        """Begins to look."""
        self._timer = self._loop.call_later(_FIRST_CHECK_S, self._check)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        now = self._clock_ns()
        calls = self._calls
        while calls and (calls[0].status is not None or calls[0].deadline_ns <= now):
            call = calls.popleft()
            if call.status is None:
                self._too_late(call)
        wait = _FIRST_CHECK_S
        if calls:
            wait = min(_LONGEST_CHECK_S, max(MILLISECOND, calls[0].deadline_ns - now) / SECOND)
        self._timer = self._loop.call_later(wait, self._check)
