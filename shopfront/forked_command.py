"""Another command of `shopfront` in a copy of this process, which has imported what it needs."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Sequence

from triton_repo.bound_process import bound
from triton_repo.launch import bind

_THREADED = ("polars", "ray", "torch")
"""Libraries whose threads a copy of the process would wait for in vain, once these have started."""


def run_forked(arguments: Sequence[str]) -> int:
    """Runs `shopfront <argument…>` and waits for it; its exit status, −n where signal n ended it.

    A process of its own, whose memory is free once it has ended. It gets a SIGTERM when this thread ends in
    any way. Importing settings, recall and ranking anew would take a second; where this process has other
    threads, or libraries that have, such as a plug-in may bring, it begins anew all the same.
    """
    if threading.active_count() > 1 or any(name in sys.modules for name in _THREADED):
        return subprocess.run(bound([sys.executable, "-m", "shopfront", *arguments]), check=False).returncode
    process = multiprocessing.get_context("fork").Process(
        target=_run, args=(os.getpid(), list(arguments)), name=arguments[0]
    )
    process.start()
    process.join()
    status = process.exitcode
    assert status is not None
    return status


def _run(parent: int, arguments: list[str]) -> None:
    bind(parent)
    sys.argv[1:] = arguments
    runpy.run_module("shopfront", run_name="__main__")
