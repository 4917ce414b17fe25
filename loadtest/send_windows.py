"""How much DATA the server takes, for the connection and for each stream (RFC 9113, section 5.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from loadtest import http2_frames as h2
from loadtest.call import Call


class SendWindows:
    """Sends messages as DATA frames as far as the windows reach; the rest waits for them to grow."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """`write` takes whole frames."""
        self._write = write
        self._window = h2.DEFAULT_WINDOW
        self._blocked: deque[Call] = deque()
        self.stream_window = h2.DEFAULT_WINDOW
        self.max_frame = h2.DEFAULT_FRAME

    def send(self, call: Call, data: bytes, end_stream: bool) -> None:
        """Sends prefixed messages of a started call; with `end_stream` they are its last."""
        size = len(data)
        if call.unsent is None and size <= self.max_frame and size <= self._window and size <= call.window:
            self._window -= size
            call.window -= size
            call.half_closed = end_stream
            self._write(h2.frame(h2.DATA, h2.END_STREAM if end_stream else 0, call.stream, data))
            return
        if call.unsent is not None:
            rest, _ = call.unsent
            data = bytes(rest) + data
        else:
            self._blocked.append(call)
        call.unsent = (memoryview(data), end_stream)
        self.send_blocked()

    def grow(self, call: Call | None, increment: int) -> None:
        """A WINDOW_UPDATE: for a call's stream, or for the connection (None)."""
        if call is None:
            self._window += increment
        else:
            call.window += increment
        self.send_blocked()

    def begin_streams_with(self, window: int, calls: Iterable[Call]) -> None:
        """The server's SETTINGS_INITIAL_WINDOW_SIZE, which moves the windows of open streams too."""
        for call in calls:
            call.window += window - self.stream_window
        self.stream_window = window

    def send_blocked(self) -> None:
        """Sends what has waited and now fits, in turn."""
        for _ in range(len(self._blocked)):
            call = self._blocked.popleft()
            if call.unsent is None or call.status is not None:
                continue
            data, end_stream = call.unsent
            while True:
                size = min(len(data), self._window, call.window, self.max_frame)
                if size <= 0 and len(data):
                    break
                chunk, data = data[:size], data[size:]
                self._window -= size
                call.window -= size
                last = end_stream and not len(data)
                self._write(h2.frame(h2.DATA, h2.END_STREAM if last else 0, call.stream, bytes(chunk)))
                if not len(data):
                    break
            if len(data):
                call.unsent = (data, end_stream)
                self._blocked.append(call)
            else:
                call.unsent = None
                call.half_closed = end_stream
