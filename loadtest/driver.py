"""The loop that sends: one process, its channels, and callbacks instead of tasks.

Closed loop (no rate): each of `concurrency` slots sends its next request when its last is answered. With a
schedule, a request has an intended start; it is sent then, or as soon as one of the slots is free (open loop
with `run_async`: at once). Latency from the intended start therefore counts the time a request had to wait
for a slow server, which a closed loop leaves out: coordinated omission (Tene, How NOT to Measure Latency,
2013).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from loadtest.call import Call
from loadtest.channel import Channel
from loadtest.deadlines import Deadlines
from loadtest.durations import SECOND
from loadtest.request import Request, Requests
from loadtest.results import Recorder, Results
from loadtest.share import Share
from loadtest.status import Status

_CLOSED = "the client connection is closing"
_MOST_STARTS_AT_ONCE = 256


class Driver:
    """Sends one share over open channels and records what comes back."""

    def __init__(
        self,
        share: Share,
        channels: list[Channel],
        requests: Requests,
        starts: Iterator[NDArray[np.int64]] | None,
        observe: Callable[[Call], None] | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Prepares to send.

        `starts`: intended starts of the share's requests in ns after the begin, None in a closed loop;
        `observe` is called with each successful call.
        """
        self._share = share
        self._channels = channels
        self._requests = requests
        self._starts = _flattened(starts) if starts is not None else None
        self._observe = observe
        self._clock_ns = clock_ns
        self._recorder = Recorder(share.skip_first, share.count_errors, share.details)
        self._loop = asyncio.get_running_loop()
        self._done = self._loop.create_future()
        self._begin_ns = 0
        self._next = 0
        self._next_start: int | None = None
        self._under_way: set[Call] = set()
        self._free_slots: list[int] = []
        self._slots = 0
        self._deadlines = Deadlines(self._too_late, clock_ns)
        self._timer: asyncio.TimerHandle | None = None
        self._streams: set[asyncio.Task[None]] = set()
        self._sending = True
        self._pumping = False
        self._reason = "normal"
        self._ignore = False
        self._failure: BaseException | None = None

    async def run(self, begin_ns: int) -> Results:
        """Sends every request, waits for the answers and closes the channels.

        `begin_ns` is time 0 of the schedule. Raises LoadTestError where a request cannot be prepared; the
        requests under way are dropped then.
        """
        self._begin_ns = begin_ns
        if self._starts is not None:
            self._next_start = next(self._starts, None)
        timers = []
        if self._share.duration_ns:
            timers.append(self._at(self._share.duration_ns, self._time_is_up))
        for at in self._share.limit.starts_ns[1:]:
            timers.append(self._at(at, self._pump))
        self._deadlines.watch()
        self._pump()
        try:
            await self._done
        finally:
            self._deadlines.stop()
            for timer in (*timers, self._timer):
                if timer is not None:
                    timer.cancel()
            finished_ns = self._clock_ns()
            self._ignore = True
            for task in list(self._streams):
                task.cancel()
            await asyncio.gather(*self._streams, return_exceptions=True)
            for channel in self._channels:
                await channel.close(Status.CANCELLED, _CLOSED)
        if self._failure is not None:
            raise self._failure
        results = self._recorder.results()
        results.began_ns = begin_ns
        results.finished_ns = finished_ns
        results.reason = self._reason
        return results

    def cancel(self) -> None:
        """Stops sending; requests under way are dropped and not counted."""
        if self._sending or self._under_way:
            self._stop("cancel", "ignore")

    # sending

    def _at(self, offset_ns: int, do: Callable[[], None]) -> asyncio.TimerHandle:
        delay = (self._begin_ns + offset_ns - self._clock_ns()) / SECOND
        return self._loop.call_later(max(0.0, delay), do)

    def _pump(self) -> None:
        """Starts what may be started now."""
        if self._pumping or not self._sending:
            return
        self._pumping = True
        try:
            self._start_due()
        except BaseException as error:
            self._failure = error
            self._stop("normal", "ignore")
        finally:
            self._pumping = False

    def _start_due(self) -> None:
        now = self._clock_ns()
        limit = int(self._share.limit.at(max(0, now - self._begin_ns)))
        begun = 0
        while self._sending:
            if self._share.total is not None and self._next >= self._share.total:
                self._sending = False
                self._finish_if_idle()
                return
            if self._starts is not None:
                if self._next_start is None:
                    self._sending = False
                    self._finish_if_idle()
                    return
                if self._share.duration_ns and self._next_start >= self._share.duration_ns:
                    return
                wait = self._begin_ns + self._next_start - self._clock_ns()
                if wait > 0:
                    self._wake_after(wait)
                    return
            if len(self._under_way) >= limit:
                return
            if begun >= _MOST_STARTS_AT_ONCE:
                # Let answers be read before more is sent: a burst must not delay the times of what arrived.
                self._wake_after(0)
                return
            begun += 1
            self._start_one()

    def _wake_after(self, wait_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(wait_ns / SECOND, self._pump)

    def _start_one(self) -> None:
        share = self._share
        number = share.first + self._next * share.stride
        slot = self._free_slots.pop() if self._free_slots else self._new_slot()
        at = slot % len(self._channels)
        request = self._requests.request(number, f"{share.worker_prefix}g{slot}c{at}")
        call = Call(number, self._finished, server_streaming=request.server_streaming)
        call.slot = slot
        call.started_ns = now = self._clock_ns()
        if self._starts is not None:
            assert self._next_start is not None
            call.intended_ns = self._begin_ns + self._next_start
            self._next_start = next(self._starts, None)
        else:
            call.intended_ns = now
        self._next += 1
        self._under_way.add(call)
        if share.timeout_ns:
            call.deadline_ns = now + share.timeout_ns
            self._deadlines.add(call)
        channel = self._channels[at]
        # A client that streams too is limited in what it sends, as in ghz, and reads all answers.
        only_receives = request.server_streaming and not request.client_streaming
        if share.stream_receive_count and only_receives:
            call.received = lambda received: self._count_received(channel, received)
        if share.stream_interval_ns and len(request.messages) > 1:
            task = self._loop.create_task(self._send_spread(channel, call, request))
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
        else:
            messages = request.messages
            data = messages[0] if len(messages) == 1 else b"".join(messages)
            channel.start(call, request.headers, data, True)
        if share.stream_call_duration_ns and only_receives:
            self._loop.call_later(
                share.stream_call_duration_ns / SECOND,
                lambda: channel.cancel(call, Status.CANCELLED, "context canceled"),
            )

    def _new_slot(self) -> int:
        self._slots += 1
        return self._slots - 1

    def _count_received(self, channel: Channel, call: Call) -> None:
        if call.answers >= self._share.stream_receive_count:
            channel.cancel(call, Status.CANCELLED, "context canceled")

    async def _send_spread(self, channel: Channel, call: Call, request: Request) -> None:
        """Sends a stream's messages one interval apart, until they are sent or the stream's time is over."""
        interval = self._share.stream_interval_ns / SECOND
        until = self._share.stream_call_duration_ns
        channel.start(call, request.headers, request.messages[0], False)
        for message in request.messages[1:]:
            left = (call.started_ns + until - self._clock_ns()) / SECOND if until else interval
            await asyncio.sleep(max(0.0, min(interval, left)))
            if call.status is not None:
                return
            if left < interval:
                break
            connection = channel.connection_of(call)
            if connection is not None:
                connection.send(call, message, False)
        connection = channel.connection_of(call)
        if connection is not None:
            connection.send(call, b"", True)

    # ends

    def _finished(self, call: Call) -> None:
        self._under_way.discard(call)
        self._free_slots.append(call.slot)
        if not self._ignore:
            self._recorder.add(call)
            if self._observe is not None and call.status is Status.OK:
                self._observe(call)
        if self._sending:
            if not self._pumping:
                self._pump()
        else:
            self._finish_if_idle()

    def _finish_if_idle(self) -> None:
        if not self._under_way and not self._done.done():
            self._done.set_result(None)

    def _time_is_up(self) -> None:
        self._pump()
        if self._sending:
            self._recorder.unsent += self._overdue()
            self._stop("timeout", self._share.stop)

    def _overdue(self) -> int:
        """Requests whose intended start has passed and that found no free slot."""
        overdue = 0
        while self._next_start is not None and self._next_start < self._share.duration_ns:
            if self._share.total is not None and self._next + overdue >= self._share.total:
                break
            overdue += 1
            self._next_start = next(self._starts, None) if self._starts is not None else None
        return overdue

    def _stop(self, reason: str, under_way: str) -> None:
        self._sending = False
        self._reason = reason
        if under_way != "wait":
            self._ignore = under_way == "ignore"
            for call in list(self._under_way):
                self._cancel(call, Status.CANCELLED, _CLOSED)
        self._finish_if_idle()

    def _cancel(self, call: Call, status: Status, message: str) -> None:
        self._channels[call.slot % len(self._channels)].cancel(call, status, message)

    def _too_late(self, call: Call) -> None:
        self._cancel(call, Status.DEADLINE_EXCEEDED, "context deadline exceeded")


def _flattened(chunks: Iterator[NDArray[np.int64]]) -> Iterator[int]:
    for chunk in chunks:
        yield from chunk.tolist()
