"""Freezes processes of a service (SIGSTOP), also at the worst moment: inside a write to the state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import psutil

from protos.shopfront.v1 import event_pb2, event_pb2_grpc
from triton_repo.process_ends import is_alive

_WRITERS = 8
_TRIES = 500
# A process of its own, since a process may open an environment only once.
_PROBE = """
import lmdb, sys
lmdb.open(sys.argv[1], max_dbs=16, max_readers=254).begin(write=True).abort()
"""
_LOCK_WAIT_S = 1.0
_STOPPED_WITHIN_S = 10.0


@contextmanager
def frozen(pids: Sequence[int]) -> Iterator[list[psutil.Process]]:
    """The processes answer nobody while the body runs; those that are still there then continue."""
    processes = [psutil.Process(pid) for pid in pids]
    for process in processes:
        process.suspend()
    try:
        for process in processes:
            _wait_until_stopped(process)
        yield processes
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _wait_until_stopped(process: psutil.Process) -> None:
    """The signal stops the other threads only once the one that it was given to has had a processor.

    Raises RuntimeError where some thread still runs after `_STOPPED_WITHIN_S`.
    """
    deadline = time.monotonic() + _STOPPED_WITHIN_S
    while not _is_stopped(process.pid):
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {process.pid} runs on after SIGSTOP")
        time.sleep(0.001)


def _is_stopped(pid: int) -> bool:
    """Whether no thread of the process runs, or it is gone."""
    for thread in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # The state follows the name, which may hold blanks and brackets.
            if thread.read_text().rpartition(") ")[2][0] not in "TtZX":
                return False
    return True


def killed_after(processes: Sequence[psutil.Process], seconds: float) -> float | None:
    """Seconds until none of the processes is left; None where one still is after `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if not any(map(is_alive, processes)):
            return time.monotonic() - began
        time.sleep(0.1)
    return None


def freeze_inside_write(
    address: str, state: Path, replicas: Callable[[], Sequence[int]], user: str, item: str
) -> int:
    """Freezes a replica that holds the write lock of the LMDB state in `state`; returns its process id.

    Events of `user` for `item` are written meanwhile, so that a replica is often inside a write.
    Raises RuntimeError where none was caught there.
    """
    stop = threading.Event()
    event = event_pb2.Event(user_id=user, item_id=item, type=event_pb2.EVENT_TYPE_VIEW, session_id="freeze")

    def write() -> None:
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = event_pb2_grpc.EventServiceStub(channel)
            while not stop.is_set():
                event.timestamp_ms = int(time.time() * 1_000)
                with suppress(grpc.RpcError):
                    # What becomes of these events is of no interest.
                    stub.ReportEvents(event_pb2.ReportEventsRequest(events=[event]), timeout=2)

    writers = [threading.Thread(target=write, daemon=True) for _ in range(_WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(_TRIES):
            for pid in replicas():
                os.kill(pid, signal.SIGSTOP)
                if _is_locked(state):
                    return pid
                os.kill(pid, signal.SIGCONT)
    finally:
        stop.set()
    raise RuntimeError(f"no replica was caught while it wrote to {state}")


def _is_locked(state: Path) -> bool:
    try:
        subprocess.run([sys.executable, "-c", _PROBE, str(state)], timeout=_LOCK_WAIT_S, check=True)
    except subprocess.TimeoutExpired:
        return True
    return False
