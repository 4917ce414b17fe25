"""A load test from options to results."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable

import uvloop
from google.protobuf import descriptor_pb2

from loadtest.descriptors import from_proto, from_protoset, method_of, split_call
from loadtest.driver import Driver
from loadtest.option_check import check
from loadtest.options import LoadOptions
from loadtest.part import Part, open_channels, recorded_calls, run_part
from loadtest.processes import run_in_processes
from loadtest.recording import read_recording
from loadtest.reflection import reflected_files
from loadtest.results import Results
from loadtest.status import Status
from loadtest.target import parse_target


def run(options: LoadOptions, *, on_signals: bool = True) -> Results:
    """Runs one test and returns what came back.

    `on_signals`: SIGINT and SIGTERM end the test and its results so far are returned with the reason
    "cancel"; needs the main thread. Raises LoadTestError for options that make no test, and for a server that
    cannot be reached.
    """
    check(options)
    return uvloop.run(_run(options, describe(options), on_signals))


def describe(options: LoadOptions) -> bytes:
    """A serialised FileDescriptorSet of every method that is called.

    Raises LoadTestError where a method is not described.
    """
    calls = recorded_calls(read_recording(options.replay), options.call) if options.replay else [options.call]
    if options.proto:
        files = from_proto(options.proto, options.import_paths)
    elif options.protoset:
        files = from_protoset(options.protoset)
    else:
        files = uvloop.run(_reflected(options, sorted({split_call(call)[0] for call in calls})))
    for call in calls:
        method_of(files, call)
    return files


async def _reflected(options: LoadOptions, services: Iterable[str]) -> bytes:
    (channel,) = await open_channels(options, 1)
    try:
        files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        for service in services:
            found = await reflected_files(
                channel,
                options.authority or options.cname or parse_target(options.host).authority,
                "http" if options.insecure else "https",
                service,
                {**(options.reflect_metadata or {})},
            )
            files |= {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(found).file}
        serialised: bytes = descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString()
        return serialised
    finally:
        await channel.close(Status.CANCELLED, "")


async def _run(options: LoadOptions, files: bytes, on_signals: bool) -> Results:
    loop = asyncio.get_running_loop()
    cancelled = asyncio.Event()
    drivers: list[Driver] = []

    def cancel() -> None:
        cancelled.set()
        for driver in drivers:
            driver.cancel()

    signals = (signal.SIGINT, signal.SIGTERM) if on_signals else ()
    for number in signals:
        loop.add_signal_handler(number, cancel)
    try:
        parts = [Part(options, files, index, options.cpus) for index in range(options.cpus)]
        if len(parts) > 1:
            return await run_in_processes(parts, cancelled)
        return await run_part(parts[0], _now, drivers.append)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _now() -> int:
    return time.perf_counter_ns()
