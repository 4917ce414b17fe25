"""Processes that have ended count as such, whoever has still to wait for them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from triton_repo.process_ends import is_alive, wait_until_ended

_NEGLIGENT = """
import subprocess, time
print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
time.sleep(600)
"""


@contextmanager
def grandchild() -> Iterator[psutil.Process]:
    """A process whose parent never waits for it."""
    with subprocess.Popen([sys.executable, "-c", _NEGLIGENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        try:
            yield process
        finally:
            process.kill()
            parent.kill()


def own_child() -> psutil.Process:
    """A child of this process that no `Popen` waits for."""
    return psutil.Process(os.posix_spawnp("sleep", ["sleep", "600"], os.environ))


def test_one_that_nobody_waits_for_has_ended_at_once() -> None:
    with grandchild() as process:
        assert is_alive(process)
        process.kill()
        began = time.monotonic()
        assert wait_until_ended([process], 20.0) == []
        assert time.monotonic() - began < 5.0
        assert psutil.pid_exists(process.pid), "its parent has not waited for it"
        assert not is_alive(process)


def test_those_that_still_run_are_returned_in_time() -> None:
    with grandchild() as ended, grandchild() as running, grandchild() as stopped:
        ended.kill()
        stopped.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert wait_until_ended([running, ended, stopped], 0.2) == [running, stopped]
        assert 0.2 <= time.monotonic() - began < 5.0


def test_a_child_is_reaped() -> None:
    child = own_child()
    child.kill()
    assert wait_until_ended([child], 20.0) == []
    assert not psutil.pid_exists(child.pid)
    assert wait_until_ended([child], 0.0) == []


def test_a_number_that_another_process_has_by_now_is_not_waited_for() -> None:
    class Former(psutil.Process):
        def is_running(self) -> bool:
            return False

    assert wait_until_ended([Former(os.getpid())], 0.0) == []


def test_it_waits_where_the_system_lends_no_descriptor_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int) -> int:
        raise OSError(errno.ENOSYS, "not there")

    child = own_child()
    monkeypatch.setattr(os, "pidfd_open", refused)
    monkeypatch.setattr("psutil._psposix.can_use_pidfd_open", lambda: False)
    assert wait_until_ended([child], 0.0) == [child]
    child.kill()
    assert wait_until_ended([child], 20.0) == []
