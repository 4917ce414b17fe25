"""The form of a log line: one JSON object."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

from foundation.telemetry.call_context import CURRENT_CALL
from foundation.telemetry.logs.user_ids import UserIds

FIELDS = "fields"
"""Name of the attribute of a log record (`extra=`) with further fields of its line."""


class JsonLines(logging.Formatter):
    """Formats one line of JSON per record.

    Its fields: time (RFC 3339, UTC), level, logger, pid, message; where there are any, error (a traceback),
    request_id, trace_id, and the fields of `extra={"fields": {…}}`. A line written during a call names the
    call, and ids of its shoppers are replaced in every text.
    """

    def __init__(self, user_ids: UserIds) -> None:
        """`user_ids`: how ids of shoppers are written."""
        super().__init__()
        self._user_ids = user_ids

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        call = CURRENT_CALL.get()
        if call is not None:
            user_ids = call.user_ids()
            line["message"] = self._user_ids.without(line["message"], user_ids)
            for name in ("error", "stack"):
                if name in line:
                    line[name] = self._user_ids.without_in_traceback(line[name], user_ids)
            line["request_id"] = call.request_id
            if call.trace is not None:
                line["trace_id"] = call.trace.trace_hex
        line.update(getattr(record, FIELDS, {}))
        return msgspec.json.encode(line, enc_hook=str).decode()
