"""One JSON line per call worth reading; a shopper's id never stands in it in clear."""

from __future__ import annotations

import hashlib
import logging
import re
import traceback
from typing import Any

import msgspec

logger = logging.getLogger("shopfront.requests")


class UserHash:
    """Pseudonyms of shoppers: keyed BLAKE2b, 16 hex digits; the same salt gives the same pseudonym."""

    def __init__(self, salt: str) -> None:
        self._key = hashlib.blake2b(salt.encode(), digest_size=32).digest()

    def __call__(self, user_id: str) -> str:
        """The pseudonym; empty for an anonymous shopper."""
        if not user_id:
            return ""
        return hashlib.blake2b(user_id.encode(), digest_size=8, key=self._key).hexdigest()


class RequestLog:
    """Writes outcomes of calls to the logger `shopfront.requests`."""

    def __init__(self, salt: str, log_answers: bool) -> None:
        """`log_answers`: log whole answers too, not only degraded, refused and failed ones."""
        self._user_hash = UserHash(salt)
        self._log_answers = log_answers

    def answered(
        self, method: str, request_id: str, user_id: str, elapsed_ms: float, degraded: tuple[str, ...]
    ) -> None:
        """An answer left, `degraded` naming what was missing in it."""
        if degraded or self._log_answers:
            level = logging.WARNING if degraded else logging.INFO
            self._write(level, "answered", method, request_id, user_id, elapsed_ms, degraded=degraded)

    def refused(
        self, method: str, request_id: str, user_id: str, elapsed_ms: float, code: str, why: str
    ) -> None:
        """A call ended with a status that is not a bug."""
        self._write(logging.INFO, "refused", method, request_id, user_id, elapsed_ms, code=code, why=why)

    def failed(
        self, method: str, request_id: str, user_id: str, elapsed_ms: float, error: BaseException
    ) -> None:
        """A bug ended the call; the line holds its traceback and the trace of the stages before it."""
        text = self._without_user("".join(traceback.format_exception(error)), user_id)
        stages = [self._without_user(str(record), user_id) for record in getattr(error, "trace", ())]
        self._write(
            logging.ERROR, "failed", method, request_id, user_id, elapsed_ms, error=text, stages=stages
        )

    def _without_user(self, text: str, user_id: str) -> str:
        if not user_id:
            return text
        return re.sub(rf"(?<!\w){re.escape(user_id)}(?!\w)", self._user_hash(user_id), text)

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
                "user": self._user_hash(user_id),
                "elapsed_ms": round(elapsed_ms, 3),
                **more,
            }
            logger.log(level, msgspec.json.encode(line).decode())
