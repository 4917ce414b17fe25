"""Whatever bytes come in, through every ingress: no answer is a bug, and nothing is left behind."""

from __future__ import annotations

import asyncio

import psutil

from benchmarks.malformed import BUGS, held, send_random
from server.ingress.sessions import command_of
from testing.running_router import Ingress

PER_METHOD = 40
# One process per caller's connection and a margin for what runtimes open late.
FILES, THREADS, MIB = 40, 20, 100.0


def lasting(ingress: Ingress) -> list[psutil.Process]:
    """The processes that serve, without those that end with the call about a shopper's data they run for."""
    if ingress.handle is None:
        return [psutil.Process()]
    return [each for each in ingress.handle.processes() if "server.privacy.worker" not in command_of(each)]


def test_random_requests_meet_no_bug_and_leave_nothing(ingress: Ingress) -> None:
    asyncio.run(send_random(ingress.address, 10, seed=1))
    processes = lasting(ingress)
    before = held(processes)
    statuses = asyncio.run(send_random(ingress.address, PER_METHOD, seed=2))
    after = held([process for process in processes if process.is_running()])
    bugs = {path: counted for path, counted in statuses.items() if any(counted[code] for code in BUGS)}
    assert not bugs
    assert all(sum(counted.values()) == PER_METHOD for counted in statuses.values())
    assert all(process.is_running() for process in processes)
    assert after.files - before.files < FILES
    assert after.threads - before.threads < THREADS
    assert after.resident_mib - before.resident_mib < MIB
