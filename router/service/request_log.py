"""One log line per call worth reading; a shopper's id is written in clear only where that is configured."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from foundation.telemetry.call_context import CURRENT_CALL
from foundation.telemetry.logs.json_lines import FIELDS
from foundation.telemetry.logs.user_ids import UserIds
from router.service.lost_parts import lost_parts

logger = logging.getLogger("shopfront.requests")


class RequestLog:
    """Writes outcomes of calls to the logger `shopfront.requests`."""

    def __init__(self, user_ids: UserIds, log_answers: bool) -> None:
        """`log_answers`: log whole answers too, not only degraded, refused and failed ones."""
        self.user_ids = user_ids
        self._log_answers = log_answers

    def answered(
        self, method: str, request_id: str, user_id: str, elapsed_ms: float, degraded: tuple[str, ...]
    ) -> None:
        """An answer left; `degraded`: what was missing in it, a warning where it is a part of the shop."""
        if degraded or self._log_answers:
            level = logging.WARNING if lost_parts(degraded) else logging.INFO
            self._write(level, "answered", method, request_id, user_id, elapsed_ms, degraded=degraded)

    def refused(
        self, method: str, request_id: str, user_id: str, elapsed_ms: float, code: str, why: str
    ) -> None:
        """A call ended with a status that is not a bug."""
        why = self._hidden(why, user_id)
        self._write(logging.INFO, "refused", method, request_id, user_id, elapsed_ms, code=code, why=why)

    def failed(
        self, method: str, request_id: str, user_id: str, elapsed_ms: float, error: BaseException
    ) -> None:
        """A bug ended the call; the line holds its traceback and the trace of the stages before it."""
        text = self.user_ids.without_in_traceback(
            "".join(traceback.format_exception(error)), self._of_this_call(user_id)
        )
        stages = [self._hidden(str(record), user_id) for record in getattr(error, "trace", ())]
        self._write(
            logging.ERROR, "failed", method, request_id, user_id, elapsed_ms, error=text, stages=stages
        )

    def _hidden(self, text: str, user_id: str) -> str:
        return self.user_ids.without(text, self._of_this_call(user_id))

    def _of_this_call(self, user_id: str) -> set[str]:
        # Events have shoppers of their own.
        call = CURRENT_CALL.get()
        return {user_id} | (call.user_ids() if call is not None else set())

    def _write(
        self,
        level: int,
        event: str,
        method: str,
        request_id: str,
        user_id: str,
        elapsed_ms: float,
        **more: Any,
    ) -> None:
        if logger.isEnabledFor(level):
            line = {
                "event": event,
                "method": method,
                "request_id": request_id,
                "user": self.user_ids(user_id),
                "elapsed_ms": round(elapsed_ms, 3),
                **more,
            }
            logger.log(level, "%s %s", method, event, extra={FIELDS: line})
