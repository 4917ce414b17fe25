"""Processes that are stopped (SIGSTOP): they hold what they held, locks among it, and answer nobody.

The kernel says so of a process with certainty, while a slow one only might be. A debugger's stop is another
state, and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from server.ingress.awake_clock import AwakeClock


class StoppedProcesses:
    """Remembers since when each process is stopped."""

    def __init__(self, after_s: float, clock: AwakeClock) -> None:
        """`after_s`: seconds that a process may be stopped."""
        self._after_s = after_s
        self._clock = clock
        self._since: dict[psutil.Process, float] = {}

    def overdue(self, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
        """Those of the processes that have been stopped for too long; to be called again and again."""
        now = self._clock()
        stopped = [process for process in processes if _is_stopped(process)]
        self._since = {process: self._since.get(process, now) for process in stopped}
        return [process for process, since in self._since.items() if now - since >= self._after_s]


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
