"""Several processes that send as one: each connects, all begin together, their results are merged.

A process that loses its parent sees the end of its pipe and stops by itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess

import uvloop

from loadtest.driver import Driver
from loadtest.durations import MILLISECOND
from loadtest.errors import LoadTestError
from loadtest.part import Part, run_part
from loadtest.results import Results, merged

_HEAD_START_NS = 50 * MILLISECOND
_CANCEL = "cancel"


async def run_in_processes(parts: list[Part], cancelled: asyncio.Event) -> Results:
    """Runs each part in a process of its own; `cancelled` drops what is under way and ends them.

    Raises LoadTestError for the first part that fails.
    """
    context = multiprocessing.get_context("spawn")
    started: list[tuple[SpawnProcess, Pipe]] = []
    watch: asyncio.Task[None] | None = None
    try:
        for part in parts:
            own_end, child_end = context.Pipe()
            process = context.Process(target=_child, args=(part, child_end), daemon=True)
            process.start()
            child_end.close()
            started.append((process, own_end))
        for _, pipe in started:
            _unless_failed(await _received(pipe))
        begin = time.perf_counter_ns() + _HEAD_START_NS
        for _, pipe in started:
            pipe.send(begin)
        pipes = [pipe for _, pipe in started]
        watch = asyncio.create_task(_pass_on(cancelled, pipes))
        outcomes = [await _received(pipe) for pipe in pipes]
        results = [_unless_failed(outcome) for outcome in outcomes]
        return merged([result for result in results if isinstance(result, Results)])
    finally:
        if watch is not None:
            watch.cancel()
        for process, pipe in started:
            pipe.close()
            await asyncio.to_thread(process.join, 5)
            if process.is_alive():
                process.kill()
                process.join()


async def _received(pipe: Pipe) -> object:
    try:
        return await asyncio.to_thread(pipe.recv)
    except EOFError as error:
        raise LoadTestError(
            "a sending process ended without results; its message is printed above"
        ) from error


async def _pass_on(cancelled: asyncio.Event, pipes: list[Pipe]) -> None:
    await cancelled.wait()
    for pipe in pipes:
        pipe.send(_CANCEL)


def _unless_failed(outcome: object) -> object:
    if isinstance(outcome, LoadTestError):
        raise outcome
    return outcome


def _child(part: Part, pipe: Pipe) -> None:
    # Ctrl-C reaches the whole group; the parent process reports the result.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome: object = uvloop.run(_run_child(part, pipe))
    except LoadTestError as error:
        outcome = error
    except EOFError:
        return
    pipe.send(outcome)


async def _run_child(part: Part, pipe: Pipe) -> Results:
    loop = asyncio.get_running_loop()
    drivers: list[Driver] = []

    def message_or_end() -> None:
        try:
            pipe.recv()
        except EOFError:
            loop.remove_reader(pipe.fileno())
        for driver in drivers:
            driver.cancel()

    async def begin() -> int:
        pipe.send("ready")
        at: int = await asyncio.to_thread(pipe.recv)
        loop.add_reader(pipe.fileno(), message_or_end)
        await asyncio.sleep(max(0.0, (at - time.perf_counter_ns()) / 1e9))
        return at

    try:
        return await run_part(part, begin, drivers.append)
    finally:
        loop.remove_reader(pipe.fileno())
