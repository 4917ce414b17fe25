"""Processes in which parts of a build run: one module each, which ends with what started it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO

from triton_repo.bound_process import bound

_STOP_S = 5.0
_ONE_CORE = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}


def begin(module: str, *, one_core: bool) -> subprocess.Popen[bytes]:
    """Runs `python -m module`, its standard input and output piped.

    It ends with the thread that calls this. `one_core`: whether polars and OpenMP shall use one.
    """
    return subprocess.Popen(
        bound([sys.executable, "-m", module]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **_ONE_CORE} if one_core else None,
        # Ctrl-C in a terminal reaches only this process, which then stops that one.
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks the process to end, makes it after five seconds, and waits for it; nothing where it has ended."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def orders_and_answers() -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and output of such a process, which whatever else it runs neither reads nor writes."""
    # Stays open as long as the process lives.
    given, sys.stdin = sys.stdin, open("/dev/null")  # noqa: SIM115
    taken, sys.stdout = sys.stdout, sys.stderr
    return given.buffer, taken.buffer
