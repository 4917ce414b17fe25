"""One HTTP/2 connection that carries gRPC calls (RFC 9113, RFC 7541 and gRPC's PROTOCOL-HTTP2).

A load generator needs few things of HTTP/2 and needs them cheap: a call is a header block that was encoded
before, one DATA frame and a callback; no task, no future and no timer per call. Frames are cut with `struct`;
header blocks go through the `hpack` library, and an answer's block that needs no connection state is decoded
once and remembered.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import hpack

from loadtest.compression import DecompressionError, decompressed
from loadtest.status import Status, status_of_http, status_of_reset

Headers = Sequence[tuple[str, str]]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
_PUSH_PROMISE = 5
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = (
    1,
    2,
    3,
    4,
    5,
)
_CANCEL, _NO_ERROR, _PROTOCOL_ERROR, _FLOW_CONTROL_ERROR = 0x8, 0x0, 0x1, 0x3

_LARGEST_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65_535
_REPLENISH_AT = 2**29
_LAST_STREAM_ID = 2**31 - 1
_REMEMBERED_BLOCKS = 256
_LARGEST_HEADER_BLOCK = 2**20

_frame_header = struct.Struct(">BHBBL")


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    size = len(payload)
    return _frame_header.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


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


class Connection(asyncio.Protocol):
    """The client's side of one connection.

    `opened` resolves when the server's settings have arrived. `on_closing` is called once, when no further
    call can be started here, with the calls that the server never began: they may be sent again elsewhere.
    `lost` resolves when the transport is gone.
    """

    def __init__(
        self,
        limits: Limits,
        on_closing: Callable[[Connection, list[Started]], None],
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._on_closing = on_closing
        self._clock_ns = clock_ns
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder(max_header_list_size=_LARGEST_HEADER_BLOCK)
        self._remembered: dict[bytes, Headers] = {}
        self._steady: dict[int, tuple[Headers, bytes]] = {}
        self._calls: dict[int, Call] = {}
        self._waiting: deque[Started] = deque()
        self._blocked: deque[Call] = deque()
        self._next_stream = 1
        self._max_streams = _LAST_STREAM_ID
        self._max_frame = 16_384
        self._send_window = _DEFAULT_WINDOW
        self._stream_window = _DEFAULT_WINDOW
        self._unacknowledged = 0
        self._outgoing: list[bytes] = []
        self._incoming = b""
        self._header_block: tuple[int, int, bytearray] | None = None
        self._closing = False
        self._heard_ns = clock_ns()

    def carries(self, call: Call) -> bool:
        """Whether a call that has not ended was started here."""
        return self._calls.get(call.stream) is call or any(entry[0] is call for entry in self._waiting)

    def start(self, call: Call, headers: Headers, data: bytes, end_stream: bool) -> None:
        """Begins `call` with `headers` and the prefixed messages in `data`; waits for a free stream where it
        must.
        """
        if len(self._calls) >= self._max_streams:
            self._waiting.append((call, headers, data, end_stream))
            return
        call._sent = (call, headers, data, end_stream)
        stream = self._next_stream
        self._next_stream = stream + 2
        call.stream = stream
        call.window = self._stream_window
        self._calls[stream] = call
        block = self._encoded(headers)
        if len(block) <= self._max_frame:
            self._write(_frame(_HEADERS, _END_HEADERS, stream, block))
        else:
            self._write(_frame(_HEADERS, 0, stream, block[: self._max_frame]))
            for at in range(self._max_frame, len(block), self._max_frame):
                last = at + self._max_frame >= len(block)
                self._write(
                    _frame(
                        _CONTINUATION, _END_HEADERS if last else 0, stream, block[at : at + self._max_frame]
                    )
                )
        if data or end_stream:
            self.send(call, data, end_stream)
        if self._next_stream > _LAST_STREAM_ID - 2:
            self._begin_closing([])

    def send(self, call: Call, data: bytes, end_stream: bool) -> None:
        """Sends further prefixed messages of a started call; with `end_stream` they are its last."""
        size = len(data)
        if (
            call._unsent is None
            and size <= self._max_frame
            and size <= self._send_window
            and size <= call.window
        ):
            self._send_window -= size
            call.window -= size
            call.half_closed = end_stream
            self._write(_frame(_DATA, _END_STREAM if end_stream else 0, call.stream, data))
            return
        if call._unsent is not None:
            rest, _ = call._unsent
            data = bytes(rest) + data
        else:
            self._blocked.append(call)
        call._unsent = (memoryview(data), end_stream)
        self._send_blocked()

    def cancel(self, call: Call, status: Status, message: str) -> None:
        """Ends a call from this side; the server is told where it began."""
        if call.stream in self._calls:
            self._write(_frame(_RST_STREAM, 0, call.stream, struct.pack(">L", _CANCEL)))
        else:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not call)
        self._end(call, status, message, self._clock_ns())

    def probe(self, silence_s: float) -> None:
        """Asks for a sign of life after `silence_s` seconds of silence; drops the connection after twice
        that.
        """
        silent_ns = self._clock_ns() - self._heard_ns
        if silent_ns > 2e9 * silence_s:
            self.close(Status.UNAVAILABLE, "keepalive ping failed to receive ACK within timeout")
        elif silent_ns > 1e9 * silence_s:
            self._write(_frame(_PING, 0, 0, b"loadtest"))

    def close(self, status: Status, message: str) -> None:
        """Ends every call with `status` and drops the connection."""
        self._begin_closing([], hand_back=False)
        now = self._clock_ns()
        calls = [*self._calls.values(), *(entry[0] for entry in self._waiting)]
        self._waiting.clear()
        for call in calls:
            self._end(call, status, message, now)
        if self._transport is not None:
            self._write(_frame(_GOAWAY, 0, 0, struct.pack(">LL", 0, _NO_ERROR)))
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """Drops the connection without another byte."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        settings = struct.pack(
            ">HLHLHL",
            _HEADER_TABLE_SIZE,
            0,  # no dynamic table for answers: their blocks need no state, so equal bytes mean equal headers
            _ENABLE_PUSH,
            0,
            _INITIAL_WINDOW_SIZE,
            _LARGEST_WINDOW,
        )
        self._decoder.max_allowed_table_size = 0
        self._decoder.header_table_size = 0
        self._write(_PREFACE + _frame(_SETTINGS, 0, 0, settings))
        self._write(_frame(_WINDOW_UPDATE, 0, 0, struct.pack(">L", _LARGEST_WINDOW - _DEFAULT_WINDOW)))

    def connection_lost(self, error: Exception | None) -> None:
        self._begin_closing([])
        now = self._clock_ns()
        why = f"connection lost: {error}" if error is not None else "connection closed by the server"
        for call in list(self._calls.values()):
            self._end(call, Status.UNAVAILABLE, why, now)
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(why))
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        now = self._clock_ns()
        self._heard_ns = now
        if self._incoming:
            data = self._incoming + data
        at, size = 0, len(data)
        while size - at >= 9:
            high, low, kind, flags, stream = _frame_header.unpack_from(data, at)
            end = at + 9 + (high << 16 | low)
            if end > size:
                break
            payload = data[at + 9 : end]
            at = end
            if self._header_block is not None and kind != _CONTINUATION:
                self._fail_connection("a header block was interrupted by another frame")
                return
            if kind == _HEADERS:
                self._headers(payload, flags, stream & _LAST_STREAM_ID, now)
            elif kind == _DATA:
                self._data(payload, flags, stream & _LAST_STREAM_ID, now)
            else:
                self._control(kind, flags, stream & _LAST_STREAM_ID, payload, now)
            if self._transport is None:
                return
        self._incoming = data[at:] if at < size else b""

    # frames that came in

    def _control(self, kind: int, flags: int, stream: int, payload: bytes, now: int) -> None:
        if kind == _WINDOW_UPDATE:
            (increment,) = struct.unpack(">L", payload)
            if stream == 0:
                self._send_window += increment
            elif stream in self._calls:
                self._calls[stream].window += increment
            self._send_blocked()
        elif kind == _PING:
            if not flags & _ACK:
                self._write(_frame(_PING, _ACK, 0, payload))
        elif kind == _RST_STREAM:
            (code,) = struct.unpack(">L", payload)
            call = self._calls.get(stream)
            if call is not None:
                status, message = status_of_reset(code)
                self._end(call, status, message, now)
        elif kind == _SETTINGS:
            if not flags & _ACK:
                self._settings(payload)
        elif kind == _GOAWAY:
            last, code = struct.unpack_from(">LL", payload)
            self._goaway(last & _LAST_STREAM_ID, code, payload[8:])
        elif kind == _CONTINUATION:
            if self._header_block is None or self._header_block[0] != stream:
                self._fail_connection("a CONTINUATION frame without a header block before it")
                return
            opened, first_flags, block = self._header_block
            block += payload
            if len(block) > _LARGEST_HEADER_BLOCK:
                self._fail_connection("a header block of more than 1 MiB")
            elif flags & _END_HEADERS:
                self._header_block = None
                self._decoded_headers(bytes(block), first_flags, opened, now)
        elif kind == _PUSH_PROMISE:
            self._fail_connection("a PUSH_PROMISE although push is switched off")
        # Frames of unknown kinds are ignored, as RFC 9113 section 4.1 asks.

    def _settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HL", payload):
            if name == _HEADER_TABLE_SIZE:
                self._encoder.header_table_size = min(value, 4_096)
                self._steady.clear()
            elif name == _MAX_CONCURRENT_STREAMS:
                self._max_streams = value
            elif name == _INITIAL_WINDOW_SIZE:
                for call in self._calls.values():
                    call.window += value - self._stream_window
                self._stream_window = value
            elif name == _MAX_FRAME_SIZE:
                self._max_frame = value
        self._write(_frame(_SETTINGS, _ACK, 0))
        if not self.opened.done():
            self.opened.set_result(None)
        self._send_blocked()
        self._start_waiting()

    def _goaway(self, last: int, code: int, debug: bytes) -> None:
        unseen = [call for stream, call in self._calls.items() if stream > last]
        for call in unseen:
            del self._calls[call.stream]
            _forget(call)
        self._begin_closing([call._sent for call in unseen if call._sent is not None])
        if code != _NO_ERROR:
            said = debug.decode(errors="replace") or f"HTTP/2 error {code}"
            why = f"the server closed the connection: {said}"
            now = self._clock_ns()
            for call in list(self._calls.values()):
                self._end(call, Status.UNAVAILABLE, why, now)
        if not self._calls and self._transport is not None:
            self._transport.close()

    def _headers(self, payload: bytes, flags: int, stream: int, now: int) -> None:
        if flags & (_PADDED | _PRIORITY):
            padding = payload[0] if flags & _PADDED else 0
            skip = (1 if flags & _PADDED else 0) + (5 if flags & _PRIORITY else 0)
            payload = payload[skip : len(payload) - padding]
        if flags & _END_HEADERS:
            self._decoded_headers(payload, flags, stream, now)
        else:
            self._header_block = (stream, flags, bytearray(payload))

    def _decoded_headers(self, block: bytes, flags: int, stream: int, now: int) -> None:
        headers = self._remembered.get(block)
        if headers is None:
            try:
                decoded = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
            except hpack.HPACKError as error:
                self._fail_connection(f"a header block that cannot be decoded: {error}")
                return
            headers = decoded
            # With a table of size 0 a block means the same each time.
            if len(self._remembered) < _REMEMBERED_BLOCKS and not self._decoder.header_table.dynamic_entries:
                self._remembered[block] = headers
        call = self._calls.get(stream)
        if call is None:
            return
        if flags & _END_STREAM:
            self._trailers(call, headers, now)
        elif not call._saw_headers:
            fields = dict(headers)
            if fields.get(":status") != "200":
                status, message = status_of_http(fields.get(":status", ""))
                self._write(_frame(_RST_STREAM, 0, stream, struct.pack(">L", _CANCEL)))
                self._end(call, status, message, now)
                return
            call._saw_headers = True
            call._grpc_encoding = fields.get("grpc-encoding", "")

    def _data(self, payload: bytes, flags: int, stream: int, now: int) -> None:
        self._unacknowledged += len(payload)
        if self._unacknowledged >= _REPLENISH_AT:
            self._write(_frame(_WINDOW_UPDATE, 0, 0, struct.pack(">L", self._unacknowledged)))
            self._unacknowledged = 0
        call = self._calls.get(stream)
        if call is None:
            return
        if flags & _PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        size = len(payload)
        if not call._buffer and size >= 5 and int.from_bytes(payload[1:5], "big") == size - 5:
            self._message(call, payload[0], payload[5:], now)
        elif size:
            call._buffer += payload
            self._buffered_messages(call, now)
            if call.server_streaming and stream in self._calls:
                self._write(_frame(_WINDOW_UPDATE, 0, stream, struct.pack(">L", size)))
        if flags & _END_STREAM and stream in self._calls:
            self._end(call, Status.INTERNAL, "the server ended the stream without trailers", now)

    def _buffered_messages(self, call: Call, now: int) -> None:
        buffer = call._buffer
        while len(buffer) >= 5 and call.status is None:
            end = 5 + int.from_bytes(buffer[1:5], "big")
            if end - 5 > self._limits.receive_bytes:
                self._refuse_answer(call, end - 5)
                return
            if len(buffer) < end:
                return
            flag, message = buffer[0], bytes(buffer[5:end])
            del buffer[:end]
            self._message(call, flag, message, now)

    def _message(self, call: Call, flag: int, message: bytes, now: int) -> None:
        if len(message) > self._limits.receive_bytes:
            self._refuse_answer(call, len(message))
            return
        if flag:
            try:
                message = decompressed(message, call._grpc_encoding, self._limits.receive_bytes)
            except DecompressionError as error:
                self.cancel(call, Status.INTERNAL, str(error))
                return
        call.answer = message
        call.answers += 1
        if call.received is not None:
            call.received(call)

    def _refuse_answer(self, call: Call, size: int) -> None:
        self.cancel(
            call,
            Status.RESOURCE_EXHAUSTED,
            f"received message larger than max ({size} vs. {self._limits.receive_bytes})",
        )

    def _trailers(self, call: Call, headers: Headers, now: int) -> None:
        code, message = "", ""
        for name, value in headers:
            if name == "grpc-status":
                code = value
            elif name == "grpc-message":
                message = unquote(value)
        call.trailers = headers
        if code == "0":
            if call._buffer:
                status, message = Status.INTERNAL, "the answer ends inside a message"
            elif call.answers != 1 and not call.server_streaming:
                status, message = (
                    Status.INTERNAL,
                    f"{call.answers} messages answer a call that has one answer",
                )
            else:
                status = Status.OK
        elif not code:
            status, message = Status.INTERNAL, "the answer has no grpc-status"
        else:
            status = Status.of(code)
        if not call.half_closed and call.stream in self._calls:
            self._write(_frame(_RST_STREAM, 0, call.stream, struct.pack(">L", _NO_ERROR)))
        self._end(call, status, message, now)

    # ends

    def _end(self, call: Call, status: Status, message: str, now: int) -> None:
        if call.status is not None:
            return
        self._calls.pop(call.stream, None)
        call._unsent = None
        call.status = status
        call.message = message
        call.ended_ns = now
        if self._waiting:
            self._start_waiting()
        if self._closing and not self._calls and self._transport is not None:
            self._transport.close()
        call.finished(call)

    def _begin_closing(self, unseen: list[Started], *, hand_back: bool = True) -> None:
        if self._closing:
            return
        self._closing = True
        unstarted: list[Started] = []
        if hand_back:
            unstarted, self._waiting = list(self._waiting), deque()
        self._on_closing(self, unseen + unstarted)

    def _fail_connection(self, why: str) -> None:
        self._incoming = b""
        self._begin_closing([])
        now = self._clock_ns()
        for call in list(self._calls.values()):
            self._end(call, Status.UNAVAILABLE, f"the server broke HTTP/2: {why}", now)
        if self._transport is not None:
            self._write(_frame(_GOAWAY, 0, 0, struct.pack(">LL", 0, _PROTOCOL_ERROR)))
            self._flush()
            self._transport.close()
            self._transport = None

    # output

    def _encoded(self, headers: Headers) -> bytes:
        steady = self._steady.get(id(headers))
        if steady is not None and steady[0] is headers:
            return steady[1]
        table = list(self._encoder.header_table.dynamic_entries)
        block: bytes = self._encoder.encode(headers, huffman=False)
        if list(self._encoder.header_table.dynamic_entries) != table:
            # A new entry moves the others: blocks encoded before would now mean something else.
            self._steady.clear()
        elif len(self._steady) < _REMEMBERED_BLOCKS:
            # Everything was in the table: until it changes, the same headers give the same bytes.
            self._steady[id(headers)] = (headers, block)
        return block

    def _send_blocked(self) -> None:
        for _ in range(len(self._blocked)):
            call = self._blocked.popleft()
            if call._unsent is None or call.status is not None:
                continue
            data, end_stream = call._unsent
            while True:
                size = min(len(data), self._send_window, call.window, self._max_frame)
                if size <= 0 and len(data):
                    break
                chunk, data = data[:size], data[size:]
                self._send_window -= size
                call.window -= size
                last = end_stream and not len(data)
                self._write(_frame(_DATA, _END_STREAM if last else 0, call.stream, bytes(chunk)))
                if not len(data):
                    break
            if len(data):
                call._unsent = (data, end_stream)
                self._blocked.append(call)
            else:
                call._unsent = None
                call.half_closed = end_stream

    def _start_waiting(self) -> None:
        while self._waiting and len(self._calls) < self._max_streams:
            self.start(*self._waiting.popleft())

    def _write(self, data: bytes) -> None:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()


def _forget(call: Call) -> None:
    """Makes a call that the server never began ready to be started on another connection."""
    call.stream = 0
    call._unsent = None
    call._saw_headers = False
    call.half_closed = False
