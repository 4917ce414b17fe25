"""A `shopfront` command that serves in a process of its own, as an operator starts it."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shopfront.workspace import PROJECT


@contextmanager
def served_command(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The command until it serves: its process, its output so far, and its address; Ctrl-C ends it."""
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = ""
    try:
        for line in process.stdout:
            output += line
            if "Ctrl-C" in line:
                break
        served = re.search(r"Serving gRPC on (127\.0\.0\.1:\d+)", output)
        assert served, output
        yield process, output, served.group(1)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
