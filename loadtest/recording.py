"""Recorded requests: reading a recording for replay, and writing one safely.

A recording is JSON lines, one request each: `{"offset_ms": 12.5, "call": "package.Service/Method", "data":
{…}}` with the message as JSON, or `"binary": "<base64>"` with it serialised; `metadata` is optional. Offsets
count from the first request. A writer keeps a share of the requests, replaces shoppers' ids by keyed
pseudonyms and stops at a size.
"""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from loadtest.errors import LoadTestError


class RecordedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request; either `data` (its JSON) or `binary` (base64 of its serialised form) is given."""

    offset_ms: float
    call: str = ""
    data: dict[str, Any] | None = None
    binary: str = ""
    metadata: dict[str, str] = {}


def read_recording(path: str) -> list[RecordedRequest]:
    """The requests of a recording, ordered by offset.

    Raises LoadTestError naming file, line and what is wrong.
    """
    requests = []
    try:
        with Path(path).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    requests.append(_read(path, number, line))
    except OSError as error:
        raise LoadTestError(f"--replay: {path} cannot be read: {error.strerror}") from error
    if not requests:
        raise LoadTestError(f"--replay: {path} holds no request")
    return sorted(requests, key=lambda request: request.offset_ms)


def _read(path: str, number: int, line: bytes) -> RecordedRequest:
    try:
        request = msgspec.json.decode(line, type=RecordedRequest)
        if request.binary:
            base64.b64decode(request.binary, validate=True)
    except (msgspec.DecodeError, ValueError) as error:
        raise LoadTestError(f"--replay: {path}, line {number}: {error}") from error
    if (request.data is None) == (not request.binary):
        raise LoadTestError(f"--replay: {path}, line {number}: give either data or binary")
    if request.offset_ms < 0:
        raise LoadTestError(f"--replay: {path}, line {number}: offset_ms {request.offset_ms:g} is negative")
    return request


class RecordingWriter:
    """Appends a sample of requests to a file of at most `max_bytes`, without a shopper's id in clear.

    `pseudonym` replaces the values of the fields named in `private` wherever they stand in a message; None
    keeps them, for recordings that may hold ids. The file is made readable by its owner alone. Not safe for
    several threads.
    """

    def __init__(
        self,
        path: Path,
        *,
        share: float,
        max_bytes: int,
        pseudonym: Callable[[str], str] | None,
        private: tuple[str, ...] = ("user_id", "session_id"),
        seed: int = 0,
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share {share} is not above 0 and at most 1")
        self._share = share
        self._left = max_bytes
        self._pseudonym = pseudonym
        self._private = frozenset(private)
        self._random = random.Random(seed)
        self._begin_s: float | None = None
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self.written = 0

    @property
    def full(self) -> bool:
        """Whether the file has reached its size; nothing is written from then on."""
        return self._left <= 0

    def record(self, call: str, data: Mapping[str, Any], at_s: float) -> None:
        """Keeps one request with the chance `share`; `at_s`: seconds on any monotonic clock."""
        if self.full or self._random.random() >= self._share:
            return
        if self._begin_s is None:
            self._begin_s = at_s
        offset = round((at_s - self._begin_s) * 1e3, 3)
        line = msgspec.json.encode(RecordedRequest(offset, call, self._cleaned(data))) + b"\n"
        if len(line) > self._left:
            self._left = 0
            return
        self._left -= len(line)
        self._file.write(line)
        self.written += 1

    def close(self) -> None:
        """Puts everything on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _cleaned(self, value: Any) -> Any:
        if self._pseudonym is None:
            return value
        return dict(self._cleaned_fields(value))

    def _cleaned_fields(self, message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        assert self._pseudonym is not None
        for name, value in message.items():
            if name in self._private and isinstance(value, str):
                yield name, self._pseudonym(value)
            elif isinstance(value, Mapping):
                yield name, self._cleaned(value)
            elif isinstance(value, list):
                yield name, [self._cleaned(each) if isinstance(each, Mapping) else each for each in value]
            else:
                yield name, value
