"""The call that the running task works for, for whoever must name it: log lines, spans, calls to Triton."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.tracing.request_trace import RequestTrace

if TYPE_CHECKING:
    from router.service.turnstile import Turn


@dataclass(slots=True)
class CallContext:
    """One call. Tasks begun on its behalf, those after its answer included, carry it along."""

    request_id: str
    request: Any
    """The message it came with; whose ids must not be written in clear is read from it when a line is."""
    trace: RequestTrace | None = None
    """Where traces are exported."""
    turn: Turn | None = None
    """Its turn on the event loop, where it needs one."""

    def user_ids(self) -> set[str]:
        """Ids of the shoppers the call speaks of."""
        found = {getattr(self.request, "user_id", "")}
        found.update(getattr(event, "user_id", "") for event in getattr(self.request, "events", ()))
        return found - {""}


CURRENT_CALL: ContextVar[CallContext | None] = ContextVar("current_call", default=None)
"""None outside calls."""


def away_from_the_loop() -> AbstractContextManager[None]:
    """While the block waits for an answer from elsewhere, other calls may compute on the event loop."""
    call = CURRENT_CALL.get()
    return nullcontext() if call is None or call.turn is None else call.turn.away()
