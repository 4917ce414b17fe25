"""Starting a child process that does not outlive this one."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from triton_repo.process_ends import is_alive, wait_until_ended

_LAUNCHER = Path(__file__).parent / "launch.py"


def bound(command: Sequence[str]) -> list[str]:
    """`command`, to be started so that it gets a SIGTERM when the thread that starts it ends in any way."""
    return [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *command]


def start_bound(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log_file: Path
) -> subprocess.Popen[bytes]:
    """Starts `command` in `folder`, its output appended to `log_file`; it dies when this process dies.

    The child leads a session of its own, so that Ctrl-C in a terminal reaches only this process, which
    then stops it in order.
    """

    def start() -> subprocess.Popen[bytes]:
        with log_file.open("ab") as log:
            return subprocess.Popen(
                bound(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )

    return _starter(os.getpid()).submit(start).result()


def stop_session(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Ends a child of `start_bound` and everything it started: SIGTERM, then SIGKILL after `timeout_s` s.

    Returns when all of them are gone. A child that is already dead is not an error.
    """
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    reap(session_of(process))


def session_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The live processes that a child of `start_bound` started, also after its own death."""
    started = (other for other in psutil.process_iter() if _session(other.pid) == process.pid != other.pid)
    return [other for other in started if is_alive(other)]


def reap(processes: Sequence[psutil.Process], timeout_s: float = 5.0) -> None:
    """Waits for processes to end by themselves and kills those still alive after `timeout_s` seconds.

    Model processes notice that their server is gone within about two seconds, and then remove their
    shared memory; one that is killed leaves it behind, and has as many seconds again to end.
    """
    alive = wait_until_ended(processes, timeout_s)
    for straggler in alive:
        with suppress(psutil.NoSuchProcess):
            straggler.kill()
    wait_until_ended(alive, timeout_s)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1


@cache
def _starter(pid: int) -> ThreadPoolExecutor:
    # A child is bound to the *thread* that starts it: this one lives as long as the process does.
    # One per process id, because a forked copy of this process has the executor but not its thread.
    del pid
    return ThreadPoolExecutor(1, thread_name_prefix="bound-process-starter")
