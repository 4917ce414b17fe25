"""The call that the running task works for, as named in log lines, spans and calls to Triton."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from foundation.telemetry.tracing.request_trace import RequestTrace


@dataclass(slots=True)
class CallContext:
    """One call. Tasks begun on its behalf, those after its answer included, carry it along."""

    request_id: str
    request: Any
    """The message it came with; whose ids must not be written in clear is read from it when a line is."""
    trace: RequestTrace | None = None
    """Where traces are exported."""

    def user_ids(self) -> set[str]:
        """Ids of the shoppers the call speaks of."""
        found = {getattr(self.request, "user_id", "")}
        found.update(getattr(event, "user_id", "") for event in getattr(self.request, "events", ()))
        return found - {""}


CURRENT_CALL: ContextVar[CallContext | None] = ContextVar("current_call", default=None)
"""None outside calls."""
