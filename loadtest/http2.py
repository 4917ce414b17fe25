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
from collections.abc import Callable
from urllib.parse import unquote

import hpack

from loadtest import http2_frames as h2
from loadtest.call import Call, Headers, Limits, Started
from loadtest.compression import DecompressionError, decompressed
from loadtest.header_blocks import LARGEST_HEADER_BLOCK, HeaderBlocks
from loadtest.status import Status, status_of_http, status_of_reset

_REPLENISH_AT = 2**29


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
        self._blocks = HeaderBlocks()
        self._calls: dict[int, Call] = {}
        self._waiting: deque[Started] = deque()
        self._blocked: deque[Call] = deque()
        self._next_stream = 1
        self._max_streams = h2.LAST_STREAM_ID
        self._max_frame = h2.DEFAULT_FRAME
        self._send_window = h2.DEFAULT_WINDOW
        self._stream_window = h2.DEFAULT_WINDOW
        self._unacknowledged = 0
        self._outgoing: list[bytes] = []
        self._incoming = b""
        self._header_block: tuple[int, int, bytearray] | None = None
        self._closing = False
        self._broken = False
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
        block = self._blocks.encoded(headers)
        if len(block) <= self._max_frame:
            self._write(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, block))
        else:
            self._write(h2.frame(h2.HEADERS, 0, stream, block[: self._max_frame]))
            for at in range(self._max_frame, len(block), self._max_frame):
                piece = block[at : at + self._max_frame]
                last = at + self._max_frame >= len(block)
                self._write(h2.frame(h2.CONTINUATION, h2.END_HEADERS if last else 0, stream, piece))
        if data or end_stream:
            self.send(call, data, end_stream)
        if self._next_stream > h2.LAST_STREAM_ID - 2:
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
            self._write(h2.frame(h2.DATA, h2.END_STREAM if end_stream else 0, call.stream, data))
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
            self._write(h2.frame(h2.RST_STREAM, 0, call.stream, h2.number(h2.CANCEL)))
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
            self._write(h2.frame(h2.PING, 0, 0, b"loadtest"))

    def close(self, status: Status, message: str) -> None:
        """Ends every call with `status` and drops the connection."""
        self._begin_closing([], hand_back=False)
        now = self._clock_ns()
        calls = [*self._calls.values(), *(entry[0] for entry in self._waiting)]
        self._waiting.clear()
        for call in calls:
            self._end(call, status, message, now)
        if self._transport is not None:
            self._write(h2.frame(h2.GOAWAY, 0, 0, struct.pack(">LL", 0, h2.NO_ERROR)))
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
            h2.HEADER_TABLE_SIZE,
            0,  # no dynamic table for answers: their blocks need no state, so equal bytes mean equal headers
            h2.ENABLE_PUSH,
            0,
            h2.INITIAL_WINDOW_SIZE,
            h2.LARGEST_WINDOW,
        )
        self._write(h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0, settings))
        self._write(h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.number(h2.LARGEST_WINDOW - h2.DEFAULT_WINDOW)))

    def connection_lost(self, error: Exception | None) -> None:
        self._begin_closing([])
        now = self._clock_ns()
        why = f"connection lost: {error}" if error is not None else "connection closed by the server"
        for call in list(self._calls.values()):
            self._end(call, Status.UNAVAILABLE, why, now)
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(why))
            self.opened.exception()  # whoever awaits it is told; nobody need be waiting
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._broken:
            return
        now = self._clock_ns()
        self._heard_ns = now
        if self._incoming:
            data = self._incoming + data
        at, size = 0, len(data)
        while size - at >= 9:
            high, low, kind, flags, stream = h2.frame_header.unpack_from(data, at)
            length = high << 16 | low
            if length > h2.DEFAULT_FRAME:
                self._fail_connection(f"a frame of more than {h2.DEFAULT_FRAME} bytes")
                return
            end = at + 9 + length
            if end > size:
                break
            payload = data[at + 9 : end]
            at = end
            if kind > h2.HEADERS or flags & (h2.PADDED | h2.PRIORITY):
                broken = h2.broken_rule(kind, flags, payload)
                if broken:
                    self._fail_connection(broken)
                    return
            if self._header_block is not None and kind != h2.CONTINUATION:
                self._fail_connection("a header block that another frame interrupts")
                return
            if kind == h2.HEADERS:
                self._headers(payload, flags, stream & h2.LAST_STREAM_ID, now)
            elif kind == h2.DATA:
                self._data(payload, flags, stream & h2.LAST_STREAM_ID, now)
            else:
                self._control(kind, flags, stream & h2.LAST_STREAM_ID, payload, now)
            if self._broken:
                return
        self._incoming = data[at:] if at < size else b""

    # frames that came in

    def _control(self, kind: int, flags: int, stream: int, payload: bytes, now: int) -> None:
        if kind == h2.WINDOW_UPDATE:
            (increment,) = struct.unpack(">L", payload)
            if stream == 0:
                self._send_window += increment
            elif stream in self._calls:
                self._calls[stream].window += increment
            self._send_blocked()
        elif kind == h2.PING:
            if not flags & h2.ACK:
                self._write(h2.frame(h2.PING, h2.ACK, 0, payload))
        elif kind == h2.RST_STREAM:
            (code,) = struct.unpack(">L", payload)
            call = self._calls.get(stream)
            if call is not None:
                status, message = status_of_reset(code)
                self._end(call, status, message, now)
        elif kind == h2.SETTINGS:
            if not flags & h2.ACK:
                self._settings(payload)
        elif kind == h2.GOAWAY:
            last, code = struct.unpack_from(">LL", payload)
            self._goaway(last & h2.LAST_STREAM_ID, code, payload[8:])
        elif kind == h2.CONTINUATION:
            if self._header_block is None or self._header_block[0] != stream:
                self._fail_connection("a CONTINUATION frame without a header block before it")
                return
            opened, first_flags, block = self._header_block
            block += payload
            if len(block) > LARGEST_HEADER_BLOCK:
                self._fail_connection("a header block of more than 1 MiB")
            elif flags & h2.END_HEADERS:
                self._header_block = None
                self._decoded_headers(bytes(block), first_flags, opened, now)
        elif kind == h2.PUSH_PROMISE:
            self._fail_connection("a PUSH_PROMISE although push is switched off")
        # Frames of unknown kinds are ignored, as RFC 9113 section 4.1 asks.

    def _settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HL", payload):
            if name == h2.HEADER_TABLE_SIZE:
                self._blocks.limit_table(value)
            elif name == h2.MAX_CONCURRENT_STREAMS:
                self._max_streams = value
            elif name == h2.INITIAL_WINDOW_SIZE:
                if value > h2.LARGEST_WINDOW:
                    self._fail_connection("an initial window above 2**31 - 1")
                    return
                for call in self._calls.values():
                    call.window += value - self._stream_window
                self._stream_window = value
            elif name == h2.MAX_FRAME_SIZE:
                if not h2.DEFAULT_FRAME <= value < 2**24:
                    self._fail_connection("a largest frame outside 2**14 to 2**24 - 1")
                    return
                self._max_frame = value
        self._write(h2.frame(h2.SETTINGS, h2.ACK, 0))
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
        if code != h2.NO_ERROR:
            said = debug.decode(errors="replace") or f"HTTP/2 error {code}"
            why = f"the server closed the connection: {said}"
            now = self._clock_ns()
            for call in list(self._calls.values()):
                self._end(call, Status.UNAVAILABLE, why, now)
        if not self._calls and self._transport is not None:
            self._transport.close()

    def _headers(self, payload: bytes, flags: int, stream: int, now: int) -> None:
        payload = h2.unpadded(h2.HEADERS, flags, payload)
        if flags & h2.END_HEADERS:
            self._decoded_headers(payload, flags, stream, now)
        else:
            self._header_block = (stream, flags, bytearray(payload))

    def _decoded_headers(self, block: bytes, flags: int, stream: int, now: int) -> None:
        try:
            headers = self._blocks.decoded(block)
        except hpack.HPACKError as error:
            self._fail_connection(f"a header block that cannot be decoded: {error}")
            return
        call = self._calls.get(stream)
        if call is None:
            return
        if flags & h2.END_STREAM:
            self._trailers(call, headers, now)
        elif not call._saw_headers:
            fields = dict(headers)
            if fields.get(":status") != "200":
                status, message = status_of_http(fields.get(":status", ""))
                self._write(h2.frame(h2.RST_STREAM, 0, stream, h2.number(h2.CANCEL)))
                self._end(call, status, message, now)
                return
            call._saw_headers = True
            call._grpc_encoding = fields.get("grpc-encoding", "")

    def _data(self, payload: bytes, flags: int, stream: int, now: int) -> None:
        self._unacknowledged += len(payload)
        if self._unacknowledged >= _REPLENISH_AT:
            self._write(h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.number(self._unacknowledged)))
            self._unacknowledged = 0
        call = self._calls.get(stream)
        if call is None:
            return
        payload = h2.unpadded(h2.DATA, flags, payload)
        size = len(payload)
        if not call._buffer and size >= 5 and int.from_bytes(payload[1:5], "big") == size - 5:
            self._message(call, payload[0], payload[5:], now)
        elif size:
            call._buffer += payload
            self._buffered_messages(call, now)
            if call.server_streaming and stream in self._calls:
                self._write(h2.frame(h2.WINDOW_UPDATE, 0, stream, h2.number(size)))
        if flags & h2.END_STREAM and stream in self._calls:
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
            self._write(h2.frame(h2.RST_STREAM, 0, call.stream, h2.number(h2.NO_ERROR)))
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
        self._broken = True
        self._incoming = b""
        self._begin_closing([])
        now = self._clock_ns()
        for call in list(self._calls.values()):
            self._end(call, Status.UNAVAILABLE, f"the server broke HTTP/2: {why}", now)
        if self._transport is not None:
            self._write(h2.frame(h2.GOAWAY, 0, 0, struct.pack(">LL", 0, h2.PROTOCOL_ERROR)))
            self._flush()
            self._transport.close()

    # output

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
                self._write(h2.frame(h2.DATA, h2.END_STREAM if last else 0, call.stream, bytes(chunk)))
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
