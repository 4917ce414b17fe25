"""One gRPC call as a connection carries it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.status import Status

Headers = Sequence[tuple[str, str]]


def framed_message(message: bytes, compressed: bool = False) -> bytes:
    """A serialised message with gRPC's 5-byte prefix: compressed flag, big-endian length."""
    return struct.pack(">BL", compressed, len(message)) + message


class Call:
    """One call in progress; `finished(call)` is called exactly once, with status, message and `ended_ns` set.

    Times are nanoseconds of `time.perf_counter_ns`. `answer` is the last message received, without its
    prefix; `answers` counts them.
    """

    __slots__ = (
        "_buffer",
        "_grpc_encoding",
        "_saw_headers",
        "_sent",
        "_unsent",
        "answer",
        "answers",
        "deadline_ns",
        "ended_ns",
        "finished",
        "half_closed",
        "index",
        "intended_ns",
        "message",
        "received",
        "server_streaming",
        "slot",
        "started_ns",
        "status",
        "stream",
        "trailers",
        "window",
    )

    def __init__(
        self, index: int, finished: Callable[[Call], None], *, server_streaming: bool = False
    ) -> None:
        self.index = index
        self.finished = finished
        self.server_streaming = server_streaming
        self.received: Callable[[Call], None] | None = None
        self.slot = 0
        self.intended_ns = 0
        self.started_ns = 0
        self.ended_ns = 0
        self.deadline_ns = 0
        self.status: Status | None = None
        self.message = ""
        self.trailers: Headers = ()
        self.answer = b""
        self.answers = 0
        self.stream = 0
        self.window = 0
        self.half_closed = False
        self._buffer = bytearray()
        self._grpc_encoding = ""
        self._saw_headers = False
        self._unsent: tuple[memoryview, bool] | None = None
        self._sent: Started | None = None


# What `Connection.start` was given; enough to start the call again on another connection.
Started = tuple[Call, Headers, bytes, bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of one message; a larger answer ends its call with ResourceExhausted, as gRPC does."""

    receive_bytes: int = 4 * 2**20
