"""What the service receives about a call besides its message."""

from __future__ import annotations

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the service. Times are seconds of the service's monotonic clock."""

    request_id: str
    """Names the call in the answer and in logs."""
    arrival: float
    deadline: float | None
    """When the caller stops waiting, where the ingress can see it."""
    sent_as: str = ""
    """The same for every copy of the call that a proxy sends again; empty where no proxy says."""

    def deadline_within(self, budget_s: float) -> float:
        """The sooner of the caller's deadline and `budget_s` seconds after arrival."""
        budgeted = self.arrival + budget_s
        return budgeted if self.deadline is None else min(self.deadline, budgeted)


def new_call(now: float, time_remaining: float | None = None, sent_as: str = "") -> Call:
    """A call arriving at `now`; `time_remaining`: seconds the caller still waits, None = unknown."""
    return Call(uuid.uuid4().hex, now, None if time_remaining is None else now + time_remaining, sent_as)
