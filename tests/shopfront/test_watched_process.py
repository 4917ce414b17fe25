"""A process beside the router: what is said where it does not start, dies, or its report fails."""

from __future__ import annotations

import os
import queue
import sys
from pathlib import Path

import pytest

from shopfront.watched_process import ProcessStartError, WatchedProcess


def watched(folder: Path, program: str, **more: object) -> WatchedProcess:
    told = {"report": pytest.fail, "ready": lambda: True} | more
    return WatchedProcess(
        "toy", [sys.executable, "-c", program], os.environ, folder / "toy.log", stops_within_s=5.0, **told
    )


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("raise SystemExit(3)", "ended with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
    ],
)
def test_one_that_ends_before_it_is_ready_says_how_and_where_its_log_is(
    tmp_path: Path, program: str, how: str
) -> None:
    with pytest.raises(ProcessStartError, match=f"the toy {how}; its log is .*toy.log"):
        watched(tmp_path, program, ready=lambda: False).start()


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessStartError, match=r"the toy cannot be started: .*absent/toy.log"):
        watched(tmp_path / "absent", "pass").start()


@pytest.mark.slow
def test_one_that_ends_is_started_again_also_where_a_report_fails(tmp_path: Path) -> None:
    lines: queue.Queue[str] = queue.Queue()

    def report(line: str) -> None:
        lines.put(line)
        raise ZeroDivisionError

    changes: list[str] = []
    watch = watched(tmp_path, "raise SystemExit(3)", report=report, count=changes.append)
    watch.start()
    assert "the toy has ended (ended with status 3)" in lines.get(timeout=20)
    assert lines.get(timeout=20) == "the toy runs again"
    assert "has ended" in lines.get(timeout=20)
    watch.stop()
    assert changes[:3] == ["lost", "restarted", "lost"]
