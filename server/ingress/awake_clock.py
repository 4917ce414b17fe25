"""A clock for patience with others: it does not advance while this process itself does not run.

After a pause of the whole container, or of the program that watches, everything it watches seems to have been
silent for as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class AwakeClock:
    """Seconds; to be read at least every `longest_step_s`, since of a longer step only that much counts.

    Example:
        >>> times = iter([0.0, 1.0, 100.0])
        >>> clock = AwakeClock(2.0, lambda: next(times))
        >>> clock(), clock()
        (1.0, 3.0)
    """

    def __init__(self, longest_step_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begins at 0."""
        self._longest_step_s = longest_step_s
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._now = 0.0

    def __call__(self) -> float:
        """The seconds counted so far."""
        now = self._monotonic()
        self._now += min(now - self._read_at, self._longest_step_s)
        self._read_at = now
        return self._now
