"""The call that the running task works for, as named in log lines, spans and calls to Triton."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
        """Ids of the shoppers that the request names, where it names any."""
        events = getattr(self.request, "events", ())
        found = {text_field(self.request, "user_id")}
        if isinstance(events, Iterable):
            found.update(text_field(event, "user_id") for event in events)
        return found - {""}


def text_field(message: Any, name: str) -> str:
    """A text field of a message of any type; "" where it has none of that name, or one of another type."""
    value = getattr(message, name, "")
    return value if isinstance(value, str) else ""


CURRENT_CALL: ContextVar[CallContext | None] = ContextVar("current_call", default=None)
"""None outside calls."""
