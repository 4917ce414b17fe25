"""What the router's process says of itself to the program that started it: one JSON line at a time."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from typing import IO

import msgspec

_POLL_S = 0.05


class Report(msgspec.Struct, frozen=True):
    """First: `error` is empty once the replicas are up. After that at most one: how Ray was lost."""

    error: str = ""


class Reports:
    """Reads the lines as they come, on a thread that ends with the stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._read: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        threading.Thread(target=self._collect, name="router-reports", daemon=True).start()

    def wait(self, deadline: float, cancel: threading.Event) -> Report | None:
        """The next report; None where the process ends without one, `cancel` is set or the deadline comes.

        deadline: monotonic seconds.
        """
        while time.monotonic() < deadline and not cancel.is_set():
            with suppress(queue.Empty):
                return self._read.get(timeout=_POLL_S)
        return None

    def poll(self) -> Report | None:
        """A report that has come since the last look, if there is one."""
        with suppress(queue.Empty):
            return self._read.get_nowait()
        return None

    def _collect(self) -> None:
        for line in self._stream:
            self._read.put(msgspec.json.decode(line, type=Report))
        self._read.put(None)
        self._stream.close()
