"""Which processes count as stopped, and patience that stands still while the watcher itself does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil

from server.ingress.awake_clock import AwakeClock
from server.ingress.stopped_processes import StoppedProcesses


class Hand:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_clock_counts_only_what_it_was_there_for() -> None:
    hand = Hand()
    clock = AwakeClock(2.0, hand)
    assert clock() == 0.0
    hand.now += 1.5
    assert clock() == 1.5
    hand.now += 3_600.0
    assert clock() == 3.5


def test_a_process_is_overdue_once_it_was_stopped_for_as_long_and_not_when_it_was_continued() -> None:
    hand = Hand()
    stopped = StoppedProcesses(4.0, AwakeClock(10.0, hand))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert stopped.overdue([process]) == []
        os.kill(child.pid, signal.SIGSTOP)
        wait_for(process, psutil.STATUS_STOPPED)
        assert stopped.overdue([process]) == []
        hand.now += 3.0
        assert stopped.overdue([process]) == []
        os.kill(child.pid, signal.SIGCONT)
        until = time.monotonic() + 20
        while process.status() == psutil.STATUS_STOPPED:
            assert time.monotonic() < until
        hand.now += 3.0
        assert stopped.overdue([process]) == []
        os.kill(child.pid, signal.SIGSTOP)
        wait_for(process, psutil.STATUS_STOPPED)
        assert stopped.overdue([process]) == []
        hand.now += 4.0
        assert stopped.overdue([process]) == [process]
        child.kill()
    assert stopped.overdue([process]) == []


def wait_for(process: psutil.Process, status: str) -> None:
    """Waits until the process has the status."""
    until = time.monotonic() + 20
    while process.status() != status:
        assert time.monotonic() < until
        time.sleep(0.01)
