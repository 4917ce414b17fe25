"""The state of one gRPC call on a connection."""

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
    prefix; `answers` counts them. The connection keeps here: `sent`, the arguments the call was started
    with; `unsent`, data that waits for a window, and whether it is the last; `buffer`, the beginning of a
    message whose rest has not arrived; `unacknowledged`, bytes received since the stream's window was
    last grown; `encoding`, the answer's `grpc-encoding`.
    """

    __slots__ = (
        "answer",
        "answers",
        "buffer",
        "deadline_ns",
        "encoding",
        "ended_ns",
        "finished",
        "half_closed",
        "index",
        "intended_ns",
        "message",
        "received",
        "saw_headers",
        "sent",
        "server_streaming",
        "slot",
        "started_ns",
        "status",
        "stream",
        "trailers",
        "unacknowledged",
        "unsent",
        "window",
    )

    def __init__(
        self, index: int, finished: Callable[[Call], None], *, server_streaming: bool = False
    ) -> None:
        """A call that is not started; `index` is its number within the share of one process."""
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
        self.unacknowledged = 0
        self.buffer = bytearray()
        self.encoding = ""
        self.saw_headers = False
        self.unsent: tuple[memoryview, bool] | None = None
        self.sent: Started | None = None


# The arguments of `Connection.start`: enough to start the call again on another connection.
Started = tuple[Call, Headers, bytes, bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of one message; a larger answer ends its call with ResourceExhausted, as gRPC does."""

    receive_bytes: int = 4 * 2**20


def forget_stream(call: Call) -> None:
    """Resets a call that the server never began, so that it can be started on another connection."""
    call.stream = 0
    call.unsent = None
    call.saw_headers = False
    call.half_closed = False
