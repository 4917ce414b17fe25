"""One HTTP/2 connection that carries gRPC calls (RFC 9113): its streams, settings and end.

A load generator needs few things of HTTP/2 and needs them cheap: a call is a header block that was encoded
before, one DATA frame and a callback; no task, no future and no timer per call. `frame_reader` cuts what
arrives into frames, `header_blocks` encodes fields, `send_windows` holds data back, and `answer` knows what
the bytes mean to gRPC.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable

import hpack

from loadtest import http2_frames as h2
from loadtest.answer import AnswerRefused, outcome, take_data, take_headers
from loadtest.call import Call, Headers, Limits, Started, forget_stream
from loadtest.frame_reader import FrameReader
from loadtest.header_blocks import HeaderBlocks
from loadtest.send_windows import SendWindows
from loadtest.status import Status, status_of_reset

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
        """A connection that is not open yet, for `create_connection` of the running event loop.

        Args:
            limits: sizes of messages.
            on_closing: called once the server takes no more calls, with those it never began.
            clock_ns: nanoseconds, monotonic.
        """
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
        self._next_stream = 1
        self._max_streams = h2.LAST_STREAM_ID
        self._reader = FrameReader()
        self._windows = SendWindows(self._write)
        self._unacknowledged = 0
        self._outgoing: list[bytes] = []
        self._closing = False
        self._broken = False
        self._heard_ns = clock_ns()

    def carries(self, call: Call) -> bool:
        """Whether a call that has not ended was started here."""
        return self._calls.get(call.stream) is call or any(entry[0] is call for entry in self._waiting)

    def start(self, call: Call, headers: Headers, data: bytes, end_stream: bool) -> None:
        """Begins `call` with `headers` and the prefixed messages in `data`.

        Where the server allows no further stream, the call begins when one ends.
        """
        if len(self._calls) >= self._max_streams:
            self._waiting.append((call, headers, data, end_stream))
            return
        call.sent = (call, headers, data, end_stream)
        stream = self._next_stream
        self._next_stream = stream + 2
        call.stream = stream
        call.window = self._windows.stream_window
        self._calls[stream] = call
        self._write_headers(stream, self._blocks.encoded(headers))
        if data or end_stream:
            self._windows.send(call, data, end_stream)
        if self._next_stream > h2.LAST_STREAM_ID - 2:
            self._begin_closing([])

    def send(self, call: Call, data: bytes, end_stream: bool) -> None:
        """Sends further prefixed messages of a started call; with `end_stream` they are its last."""
        self._windows.send(call, data, end_stream)

    def cancel(self, call: Call, status: Status, message: str) -> None:
        """Ends a call from the client's side; a server that began it receives a reset."""
        if call.stream in self._calls:
            self._write(h2.frame(h2.RST_STREAM, 0, call.stream, h2.number(h2.CANCEL)))
        else:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not call)
        self._end(call, status, message, self._clock_ns())

    def probe(self, silence_s: float) -> None:
        """Pings the server after `silence_s` seconds of silence; closes the connection after twice that."""
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
        """Sends the client's connection preface (called by asyncio)."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        self._write(h2.CLIENT_OPENING)

    def connection_lost(self, error: Exception | None) -> None:
        """Ends every call with Unavailable (called by asyncio)."""
        self._begin_closing([])
        now = self._clock_ns()
        why = f"connection lost: {error}" if error is not None else "connection closed by the server"
        for call in list(self._calls.values()):
            self._end(call, Status.UNAVAILABLE, why, now)
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(why))
            self.opened.exception()  # Marked as retrieved: there may be no task that awaits it.
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Reads the frames that `data` completes and passes them to their calls (called by asyncio)."""
        if self._broken:
            return
        now = self._clock_ns()
        self._heard_ns = now
        for kind, flags, stream, payload in self._reader.read(data):
            if kind == h2.HEADERS:
                self._headers(payload, flags, stream, now)
            elif kind == h2.DATA:
                self._data(payload, flags, stream, now)
            else:
                self._control(kind, flags, stream, payload, now)
            if self._broken:
                return
        if self._reader.broken:
            self._fail_connection(self._reader.broken)

    # frames that came in

    def _control(self, kind: int, flags: int, stream: int, payload: bytes, now: int) -> None:
        if kind == h2.WINDOW_UPDATE:
            (increment,) = struct.unpack(">L", payload)
            if stream == 0 or stream in self._calls:
                self._windows.grow(self._calls[stream] if stream else None, increment)
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
        # Frames of unknown kinds are ignored, as RFC 9113 section 4.1 requires.

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
                self._windows.begin_streams_with(value, self._calls.values())
            elif name == h2.MAX_FRAME_SIZE:
                if not h2.DEFAULT_FRAME <= value < 2**24:
                    self._fail_connection("a largest frame outside 2**14 to 2**24 - 1")
                    return
                self._windows.max_frame = value
        self._write(h2.frame(h2.SETTINGS, h2.ACK, 0))
        if not self.opened.done():
            self.opened.set_result(None)
        self._windows.send_blocked()
        self._start_waiting()

    def _goaway(self, last: int, code: int, debug: bytes) -> None:
        unseen = [call for stream, call in self._calls.items() if stream > last]
        for call in unseen:
            del self._calls[call.stream]
            forget_stream(call)
        self._begin_closing([call.sent for call in unseen if call.sent is not None])
        if code != h2.NO_ERROR:
            reason = debug.decode(errors="replace") or f"HTTP/2 error {code}"
            why = f"the server closed the connection: {reason}"
            now = self._clock_ns()
            for call in list(self._calls.values()):
                self._end(call, Status.UNAVAILABLE, why, now)
        if not self._calls and self._transport is not None:
            self._transport.close()

    def _headers(self, block: bytes, flags: int, stream: int, now: int) -> None:
        try:
            headers = self._blocks.decoded(block)
        except hpack.HPACKError as error:
            self._fail_connection(f"a header block that cannot be decoded: {error}")
            return
        call = self._calls.get(stream)
        if call is None:
            return
        if not flags & h2.END_STREAM:
            try:
                take_headers(call, headers)
            except AnswerRefused as refusal:
                self.cancel(call, refusal.status, str(refusal))
            return
        call.trailers = headers
        status, message = outcome(call, headers)
        if not call.half_closed:
            self._write(h2.frame(h2.RST_STREAM, 0, stream, h2.number(h2.NO_ERROR)))
        self._end(call, status, message, now)

    def _data(self, payload: bytes, flags: int, stream: int, now: int) -> None:
        size = len(payload)
        self._unacknowledged += size
        if self._unacknowledged >= _REPLENISH_AT:
            self._write(h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.number(self._unacknowledged)))
            self._unacknowledged = 0
        call = self._calls.get(stream)
        if call is None:
            return
        if call.server_streaming:
            call.unacknowledged += size
            if call.unacknowledged >= _REPLENISH_AT:
                self._write(h2.frame(h2.WINDOW_UPDATE, 0, stream, h2.number(call.unacknowledged)))
                call.unacknowledged = 0
        if flags & h2.PADDED:
            payload = h2.unpadded(h2.DATA, flags, payload)
        if payload:
            try:
                take_data(call, payload, self._limits)
            except AnswerRefused as refusal:
                self.cancel(call, refusal.status, str(refusal))
        if flags & h2.END_STREAM and stream in self._calls:
            self._end(call, Status.INTERNAL, "the server ended the stream without trailers", now)

    # ends

    def _end(self, call: Call, status: Status, message: str, now: int) -> None:
        if call.status is not None:
            return
        self._calls.pop(call.stream, None)
        call.unsent = None
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
        self._begin_closing([])
        now = self._clock_ns()
        for call in list(self._calls.values()):
            self._end(call, Status.UNAVAILABLE, f"the server broke HTTP/2: {why}", now)
        if self._transport is not None:
            self._write(h2.frame(h2.GOAWAY, 0, 0, struct.pack(">LL", 0, h2.PROTOCOL_ERROR)))
            self._flush()
            self._transport.close()

    # output

    def _write_headers(self, stream: int, block: bytes) -> None:
        largest = self._windows.max_frame
        kind = h2.HEADERS
        while len(block) > largest:
            self._write(h2.frame(kind, 0, stream, block[:largest]))
            block = block[largest:]
            kind = h2.CONTINUATION
        self._write(h2.frame(kind, h2.END_HEADERS, stream, block))

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
