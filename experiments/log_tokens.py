"""Attribution tokens of a log's events, each different one read once."""

from __future__ import annotations

from state.attribution import Attribution, AttributionCodec
from state.errors import AttributionError


class LogTokens:
    """Reads each different token once: the events of an answer carry the same one, mostly soon after it."""

    def __init__(self, codec: AttributionCodec, kept: int = 100_000) -> None:
        """`kept`: most tokens remembered."""
        self._codec = codec
        self._kept = kept
        self._read: dict[str, Attribution | None] = {}

    def read(self, token: str) -> Attribution | None:
        """The token's fields, None where it cannot be read."""
        if token not in self._read:
            if len(self._read) >= self._kept:
                self._read.clear()
            try:
                self._read[token] = self._codec.decode(token)
            except AttributionError:
                self._read[token] = None
        return self._read[token]
