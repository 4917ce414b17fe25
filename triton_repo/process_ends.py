"""When a process has ended: once it runs no more, also where nobody has waited for it yet.

The first process of a machine or a container waits for those whose parents have died. Some do so every few
seconds and some never, and until then what has ended is still listed.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_ended(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Waits up to `timeout_s` seconds until all of them have ended; returns those that still run.

    Children of this process are reaped, so none of them may be one that a `subprocess.Popen` waits for.
    """
    deadline = time.monotonic() + timeout_s
    return [process for process in processes if not _ends(process, max(0.0, deadline - time.monotonic()))]


def _ends(process: psutil.Process, timeout_s: float) -> bool:
    try:
        # Readable once the last thread has ended; /proc calls a process dead whose first thread has, while
        # others may still hold its ports.
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    except OSError:
        # A sandbox without pidfd_open.
        return not psutil.wait_procs([process], timeout_s)[1]
    try:
        if not process.is_running():
            # Its number is another process's by now.
            return True
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        if not poller.poll(1_000 * timeout_s):
            return False
    finally:
        os.close(descriptor)
    with suppress(psutil.TimeoutExpired):
        process.wait(0)
    return True
