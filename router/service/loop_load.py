"""How busy the event loop is, and what one call costs it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.trace import Clock

WINDOW_S = 0.1
_KEPT = 0.8


class LoopLoad:
    """Measures one thread in windows of at least `WINDOW_S` seconds that end with a call.

    cost_s       seconds of the thread that a call takes, over the last windows; 0 = not yet known
    utilisation  part of the last windows in which the thread ran or wanted to, 0 to 1

    By the utilisation law, utilisation = throughput x cost (Denning and Buzen, The Operational Analysis of
    Queueing Network Models, 1978): what a call costs is known from busy time and completions alone, also
    while the thread is far from full.
    """

    def __init__(self, clock: Clock, busy_clock: Clock) -> None:
        """`clock`: monotonic seconds; `busy_clock`: seconds the thread has run or waited for a processor."""
        self._clock = clock
        self._busy_clock = busy_clock
        self._began = clock()
        self._idle_but_wanted = 0.0
        self._busy = busy_clock()
        self._calls = 0
        self._recent_busy = 0.0
        self._recent_calls = 0.0
        self._recent_span = 0.0
        self.cost_s = 0.0
        self.utilisation = 0.0

    def first_call_began(self) -> None:
        """A call began while no other was in progress: idle time before it belongs to no call."""
        now = self._clock()
        if now - self._began >= WINDOW_S:
            self._began, self._busy, self._calls = now, self._busy_so_far(), 0

    @contextmanager
    def wanted_but_idle(self) -> Iterator[None]:
        """What the thread idles while the block runs counts as busy: calls wait that it holds back."""
        began, busy = self._clock(), self._busy_clock()
        try:
            yield
        finally:
            passed = self._clock() - began
            self._idle_but_wanted += max(0.0, passed - (self._busy_clock() - busy))

    def _busy_so_far(self) -> float:
        return self._busy_clock() + self._idle_but_wanted

    def call_ended(self) -> None:
        """Counts a call that was worked on."""
        self._calls += 1
        now = self._clock()
        span = now - self._began
        if span >= WINDOW_S:
            busy = self._busy_so_far()
            self._close_window(span, busy - self._busy)
            self._began, self._busy, self._calls = now, busy, 0

    def _close_window(self, span: float, busy: float) -> None:
        # Sums, not a mean of ratios: calls that share a loop tend to end together, some windows in all.
        self._recent_busy = _KEPT * self._recent_busy + busy
        self._recent_calls = _KEPT * self._recent_calls + self._calls
        self.cost_s = self._recent_busy / self._recent_calls
        self._recent_span = _KEPT * self._recent_span + span
        self.utilisation = min(1.0, self._recent_busy / self._recent_span)


def thread_busy_clock() -> Callable[[], float]:
    """Seconds the calling thread has run or waited for a processor; belongs to that thread.

    Where the kernel does not tell the waiting (`/proc/thread-self/schedstat`, Linux), seconds it has run:
    work beside it on the same processors then goes unseen.
    """
    try:
        file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        os.pread(file, 64, 0)
    except OSError:
        return time.thread_time
    return _Schedstat(file)


class _Schedstat:
    """Reads the first two fields, nanoseconds run and nanoseconds runnable but not run."""

    def __init__(self, file: int) -> None:
        self._file = file

    def __call__(self) -> float:
        ran, waited, _ = os.pread(self._file, 64, 0).split()
        return (int(ran) + int(waited)) * 1e-9

    def __del__(self) -> None:
        os.close(self._file)
