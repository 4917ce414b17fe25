"""Hands chosen requests from the event loop to a thread that writes them."""

from __future__ import annotations

import logging
import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Literal, NamedTuple

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from foundation.statistics.assignment import BUCKETS, bucket
from foundation.telemetry.call_context import text_field
from server.recording.recording_folder import RecordingFolder, Written
from server.recording.settings import RecordingSettings

logger = logging.getLogger(__name__)

Outcome = Written | Literal["dropped", "failed"]
_PAUSE_S = 5.0


class _Chosen(NamedTuple):
    call: str
    request: Message
    at_ms: float
    size: int


class RequestRecorder:
    """Records requests; no call ever waits for it, or fails by it.

    What it costs the event loop is a hash, a size and a place in a queue, some microseconds. The queue is
    bounded in requests and in bytes; what it does not take is counted as dropped.
    """

    def __init__(
        self,
        settings: RecordingSettings,
        folder: RecordingFolder,
        count: Callable[[Outcome], None],
        draw: random.Random,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Starts the thread that writes; the settings' salt must be set.

        Args:
            settings: which requests are recorded.
            folder: where they are written.
            count: called with the outcome of each chosen request, from both threads.
            draw: chooses among anonymous requests.
            clock: monotonic seconds.
            wall_clock: unix seconds.
        """
        self._settings = settings
        self._methods: frozenset[str] = frozenset(settings.methods)
        self._folder = folder
        self._count = count
        self._draw = draw
        self._clock = clock
        self._wall_clock = wall_clock
        self._queue: SimpleQueue[_Chosen | None] = SimpleQueue()
        # Each is changed by one thread alone, so that neither needs a lock.
        self._taken_bytes = 0
        self._done_bytes = 0
        self._failing_since: float | None = None
        self._full = False
        self._bugs = 0
        self._thread = threading.Thread(target=self._run, name="request-recorder", daemon=True)
        self._thread.start()

    def offer(self, method: str, call: str, request: Message) -> None:
        """Records the request where its method and its shopper are chosen; never blocks, for the event loop.

        `call`: the method as package.Service/Method. The request must not be changed afterwards.
        """
        if method not in self._methods or not self._chooses(_shopper(request)):
            return
        size = request.ByteSize()
        full = (
            self._queue.qsize() >= self._settings.buffered_requests
            or self._taken_bytes - self._done_bytes + size > self._settings.buffered_bytes
        )
        if full:
            self._count("dropped")
            return
        self._taken_bytes += size
        self._queue.put(_Chosen(call, request, self._wall_clock() * 1e3, size))

    def close(self, within_s: float) -> None:
        """Writes what is queued and closes the file, within `within_s` seconds; idempotent, blocks."""
        self._queue.put(None)
        self._thread.join(within_s)
        if self._thread.is_alive():
            logger.warning("the recording's disk is slow: about %d requests are lost", self._queue.qsize())

    def _chooses(self, user_id: str) -> bool:
        share = self._settings.share
        if share >= 1:
            return True
        if not user_id:
            return self._draw.random() < share
        return bucket(self._settings.salt, user_id) < share * BUCKETS

    def _run(self) -> None:
        while (chosen := self._queue.get()) is not None:
            self._count(self._written(chosen))
            self._done_bytes += chosen.size
        try:
            self._folder.close()
        except OSError as error:
            self._told(error)

    def _written(self, chosen: _Chosen) -> Outcome:
        if self._failing_since is not None and self._clock() - self._failing_since < _PAUSE_S:
            return "failed"
        try:
            data = MessageToDict(chosen.request, preserving_proto_field_name=True)
            outcome = self._folder.write(chosen.call, data, chosen.at_ms)
        except OSError as error:
            self._told(error)
            return "failed"
        except Exception as error:
            self._told_bug(error)
            return "failed"
        if self._failing_since is not None:
            self._failing_since = None
            logger.info("requests are recorded again in %s", self._settings.folder)
        if (outcome == "full") != self._full:
            self._full = outcome == "full"
            now = "full at max_bytes, recording stops" if self._full else "no longer full, recording goes on"
            logger.warning("%s is %s", self._settings.folder, now)
        return outcome

    def _told(self, error: OSError) -> None:
        """Logs the first of a row of failures; further ones are counted."""
        if self._failing_since is None:
            logger.error("requests cannot be recorded in %s: %s", self._settings.folder, error.strerror)
        self._failing_since = self._clock()

    def _told_bug(self, error: Exception) -> None:
        """Logs the first, without the error's own text, in which a shopper's id may stand."""
        if not self._bugs:
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("a request cannot be recorded: %s\n%s", type(error).__name__, where)
        self._bugs += 1


def _shopper(request: Any) -> str:
    """The shopper of a request, of a batch of events that of the first; "" where the request names none."""
    user_id = text_field(request, "user_id")
    if user_id:
        return user_id
    events = getattr(request, "events", ())
    return text_field(events[0], "user_id") if isinstance(events, Sequence) and events else ""
