"""What the router's process reports to the program that started it: one JSON line at a time."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from typing import IO

import msgspec

_POLL_S = 0.05


class ProcessStatus(msgspec.Struct, frozen=True):
    """The first has an empty `error` once the replicas are up; at most one follows: how Ray was lost.

    Between them come signs of life (`beat`), at intervals.
    """

    error: str = ""
    beat: bool = False


class StatusReader:
    """Reads the lines as they arrive, on a thread that ends with the stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        """`stream`: standard output of the router's process."""
        self._stream = stream
        self._read: queue.SimpleQueue[ProcessStatus | None] = queue.SimpleQueue()
        self.beats = 0
        """Signs of life so far."""
        threading.Thread(target=self._collect, name="router-status", daemon=True).start()

    def wait(self, deadline: float, cancel: threading.Event) -> ProcessStatus | None:
        """The next status; None where the process ends without one, `cancel` is set or the deadline comes.

        deadline: monotonic seconds.
        """
        while time.monotonic() < deadline and not cancel.is_set():
            with suppress(queue.Empty):
                return self._read.get(timeout=_POLL_S)
        return None

    def poll(self) -> ProcessStatus | None:
        """A status received since the last call, if there is one."""
        with suppress(queue.Empty):
            return self._read.get_nowait()
        return None

    def _collect(self) -> None:
        for line in self._stream:
            status = msgspec.json.decode(line, type=ProcessStatus)
            if status.beat:
                self.beats += 1
            else:
                self._read.put(status)
        self._read.put(None)
        self._stream.close()
