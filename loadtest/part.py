"""One process's part of a load test: connect, wait for the common begin, send, hand the results over."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.call import Limits
from loadtest.call_data import replayed_requests, requests_of
from loadtest.channel import Channel
from loadtest.descriptors import Method, method_of
from loadtest.driver import Driver
from loadtest.durations import SECOND
from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.recording import RecordedRequest, read_recording
from loadtest.request import Requests, Sending
from loadtest.results import MOST_DETAILS, Results
from loadtest.schedule import Curve, concurrency_curve, constant, scheduled_starts
from loadtest.share import Share
from loadtest.stages import ServerStages, observer
from loadtest.status import Status
from loadtest.target import Target, parse_target
from loadtest.tls import tls_context


@dataclass(frozen=True, slots=True)
class Part:
    """Part `index` of `of`; `files` is the serialised FileDescriptorSet of the methods that are called."""

    options: LoadOptions
    files: bytes
    index: int
    of: int


async def run_part(
    part: Part, begin: Callable[[], Awaitable[int]], running: Callable[[Driver], None] | None = None
) -> Results:
    """Connects, waits for the common begin, sends and returns the results.

    `begin()` returns time 0 in ns of `time.perf_counter_ns`. `running` is called with the driver, so that a
    signal can cancel it. Raises LoadTestError where the server
    cannot be reached or a request cannot be made.
    """
    options = part.options
    recording = read_recording(options.replay) if options.replay else []
    requests, observed = _requests(part, recording)
    driver = Driver(
        share_of(part, len(recording)),
        await open_channels(options, _spread(options.connections, part)),
        requests,
        _starts(part, recording),
        observed.observe if observed is not None else None,
    )
    if running is not None:
        running(driver)
    results = await driver.run(await begin())
    if observed is not None:
        results.stages = observed.times
    return results


def share_of(part: Part, recorded: int = 0) -> Share:
    """What this part sends. `recorded`: requests in the recording that is replayed, 0 without one."""
    options = part.options
    total = None if options.duration else options.total or recorded
    if options.replays_times:
        total = recorded if total is None else min(total, recorded)
    return Share(
        first=part.index,
        stride=part.of,
        total=None if total is None else _spread(total, part),
        limit=_limit(part),
        duration_ns=options.duration or options.max_duration,
        stop=options.stop,
        timeout_ns=options.timeout,
        skip_first=_spread(options.skip_first, part),
        count_errors=options.count_errors,
        details=_spread(MOST_DETAILS, part),
        stream_interval_ns=options.stream_interval,
        stream_call_duration_ns=options.stream_call_duration,
        stream_receive_count=options.stream_call_count,
        worker_prefix=f"{options.name}:" if options.name else "",
    )


async def open_channels(options: LoadOptions, count: int) -> list[Channel]:
    """`count` connected channels, at least one. Raises LoadTestError where one cannot connect."""
    target = parse_target(options.host)
    tls = tls_context(options)
    channels: list[Channel] = []
    try:
        for _ in range(max(1, count)):
            channel = Channel(
                target,
                tls,
                options.cname,
                Limits(options.max_recv_message_size),
                options.connect_timeout / SECOND or float("inf"),
                options.keepalive / SECOND,
                time.perf_counter_ns,
            )
            await channel.open()
            channels.append(channel)
    except ConnectionError as error:
        for channel in channels:
            await channel.close(Status.CANCELLED, "")
        raise LoadTestError(f"{options.host} cannot be reached: {error}{_hint(options, error)}") from error
    return channels


def _hint(options: LoadOptions, error: ConnectionError) -> str:
    if not options.insecure and "TLS failed" in str(error):
        return "; for a server without TLS say --insecure, for a certificate of your own --cacert"
    return ""


def sending_of(options: LoadOptions, target: Target) -> Sending:
    """What holds for every message of these options."""
    return Sending(
        authority=options.authority or options.cname or target.authority,
        scheme="http" if options.insecure else "https",
        timeout_ns=options.timeout,
        gzip=options.enable_compression,
        max_bytes=options.max_send_message_size,
    )


def _requests(part: Part, recording: list[RecordedRequest]) -> tuple[Requests, ServerStages | None]:
    options = part.options
    sending = sending_of(options, parse_target(options.host))
    if recording:
        methods = {call: method_of(part.files, call) for call in recorded_calls(recording, options.call)}
        first = next(iter(methods.values()))
        return replayed_requests(options, recording, methods, sending), observer(
            options.stage_sample if len(methods) == 1 else 0, first.answer
        )
    method: Method = method_of(part.files, options.call)
    requests = requests_of(options, method, sending, options.seed + part.index, time.time_ns)
    return requests, observer(options.stage_sample, method.answer)


def recorded_calls(recording: list[RecordedRequest], default: str) -> list[str]:
    """The different methods of a recording.

    Raises LoadTestError where a line names none and there is no default.
    """
    calls = list(dict.fromkeys(recorded.call or default for recorded in recording))
    if "" in calls:
        raise LoadTestError("--replay: a line names no method; name the method to call with --call")
    return calls


def _starts(part: Part, recording: list[RecordedRequest]) -> Iterator[NDArray[np.int64]] | None:
    options = part.options
    if options.replays_times:
        offsets = np.array([recorded.offset_ms for recorded in recording])
        # The difference first: offsets from 1970 times a million would lose microseconds.
        every: Iterator[NDArray[np.int64]] | None = iter(
            [((offsets - offsets[0]) * (1e6 / options.replay_speed)).astype(np.int64)]
        )
    else:
        every = scheduled_starts(options)
    return None if every is None else _every_nth(every, part.index, part.of)


def _every_nth(chunks: Iterator[NDArray[np.int64]], index: int, of: int) -> Iterator[NDArray[np.int64]]:
    skip = index
    for chunk in chunks:
        yield chunk[skip::of]
        skip = (skip - len(chunk)) % of


def _limit(part: Part) -> Curve:
    options = part.options
    if options.run_async:
        return constant(_spread(options.max_in_flight, part))
    if options.concurrency_schedule == "const":
        return constant(_spread(options.concurrency, part))
    return concurrency_curve(options)


def _spread(count: int, part: Part) -> int:
    return count // part.of + (part.index < count % part.of)
