"""Who is worked on: overload is answered at once, not queued past its deadline.

Two rules. At most `max_concurrent` calls are in progress. And while the event loop is full, a call that would
be answered after its deadline is refused before anything is asked on its behalf: calls share the loop, so it
would take as long as the loop needs for all that are in progress, its own included.
The argument: docs/decisions/overload.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from router.errors import OverloadError
from router.service.loop_load import LoopLoad
from router.service.settings import AdmissionSettings

Reason = Literal["concurrency", "deadline"]
"""Which rule refused a call."""

_JITTER = 0.5


class _TurnedAway(OverloadError):
    """Refused for its deadline by a call's own admission."""


class Admission:
    """Admits calls to one event loop; every method belongs to it."""

    def __init__(
        self,
        settings: AdmissionSettings,
        load: LoopLoad,
        jitter: random.Random,
    ) -> None:
        """`jitter`: spreads the delays that refusals name."""
        self._settings = settings
        self._load = load
        self._jitter = jitter
        self.in_progress = 0
        self.arrived = 0
        """Calls that asked for a place so far."""
        self.admitted = 0
        """Calls that had a place, have ended, and were not refused for their deadline. Counted at their end,
        since a call can wait for long before it is refused."""
        self.refused: dict[Reason, int] = {"concurrency": 0, "deadline": 0}

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Holds one place while the block runs.

        Raises `OverloadError` where none is free.
        """
        self.arrived += 1
        if self.in_progress >= self._settings.max_concurrent:
            self.refused["concurrency"] += 1
            raise OverloadError(
                self.retry_after_s(),
                f"{self.in_progress} of {self._settings.max_concurrent} concurrent requests",
            )
        if self.in_progress == 0:
            self._load.first_call_began()
        self.in_progress += 1
        try:
            yield
        except _TurnedAway:
            raise
        except OverloadError:
            self.admitted += 1
            # Nothing was done for it: it would make calls look cheaper than they are.
            raise
        except BaseException:
            self._worked_on()
            raise
        else:
            self._worked_on()
        finally:
            self.in_progress -= 1

    def _worked_on(self) -> None:
        self.admitted += 1
        self._load.call_ended()

    def patience_s(self, timeout_s: float | None, budget_s: float) -> float:
        """Seconds from its arrival within which a call wants its answer.

        `timeout_s`: what it says itself; `budget_s`: what its slowest scene may be worked on, which a call
        that says nothing is always given.
        """
        return max(self._settings.patience_s, budget_s) if timeout_s is None else timeout_s

    def require_time(self, time_left_s: float) -> None:
        """Asked inside `admit`, before any work: can the call be answered well within `time_left_s` seconds?

        Raises `OverloadError` where the loop is full and what is in progress takes more than the part of that
        time that is for waiting. A call that is alone is tried whatever its time.
        """
        if self.in_progress <= 1 or not self.loop_is_full():
            return
        needed_s = self.in_progress * self._load.cost_s
        if needed_s > self._settings.waiting_share * time_left_s:
            raise self._turned_away(
                f"{self.in_progress} requests in progress take {needed_s * 1_000:.0f} ms", time_left_s
            )

    def require_own_time(self, time_left_s: float, had_s: float) -> None:
        """Asked once the call has its turn: those before it may have taken longer than calls did.

        `had_s`: seconds it had left before it waited. Raises `OverloadError` where the wait used them up, or
        where the loop is full and the call by itself takes longer than `time_left_s` seconds.
        """
        used_up = had_s > 0 >= time_left_s
        if used_up or (self.in_progress > 1 and self.loop_is_full() and self._load.cost_s > time_left_s):
            raise self._turned_away("requests before it took longer than foreseen", time_left_s)

    def out_of_patience(self) -> OverloadError:
        """The refusal of a call that waited, for its turn or for user state, until its patience was over.

        For one whose caller set no sooner deadline; nothing was done for it yet.
        """
        return self._turned_away("what it waited for took longer than foreseen", 0.0)

    def loop_is_full(self) -> bool:
        """Whether the event loop has had more to do, lately, than to be counted on for another call."""
        return self._load.utilisation >= self._settings.busy_from

    def retry_after_s(self) -> float:
        """Seconds after which what is in progress will be done, as things go, give or take a half.

        The spread keeps callers refused together from coming back together.
        """
        drained_s = self.in_progress * self._load.cost_s
        settings = self._settings
        spread = self._jitter.uniform(1 - _JITTER, 1 + _JITTER)
        return round(min(settings.retry_at_most_s, max(settings.retry_at_least_s, drained_s) * spread), 3)

    def _turned_away(self, why: str, time_left_s: float) -> OverloadError:
        self.refused["deadline"] += 1
        return _TurnedAway(self.retry_after_s(), f"{why}, {max(0.0, time_left_s) * 1_000:.0f} ms are left")
