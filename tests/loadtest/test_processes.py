"""Several sending processes: whatever ends the command, none of them stays."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.loadtest.greeter import Greeter
from triton_repo.process_ends import wait_until_ended

pytestmark = pytest.mark.slow


def started(server: Greeter) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "loadtest", "--insecure", "--call", "greetings.Greeter.Greet"),
            *("-z", "60s", "-c", "2", "-r", "50", "--cpus", "2", "-O", "json", server.address),
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while len(server.seen.requests) < 10:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("to_group", [True, False])
def test_ctrl_c_ends_every_process_with_one_report(server: Greeter, to_group: bool) -> None:
    process = started(server)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    try:
        if to_group:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGTERM)
        report, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert report.count('"endReason":"cancel"') == 1
    assert not wait_until_ended(children, 10.0)


def test_processes_whose_parent_was_killed_end_by_themselves(server: Greeter) -> None:
    process = started(server)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    alive = wait_until_ended(children, 15.0)
    for child in alive:
        child.kill()
    assert not alive
