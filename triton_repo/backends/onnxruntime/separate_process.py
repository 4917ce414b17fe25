"""Runs something in a process that ends, so that what it imports and opens takes no memory afterwards."""

import os
from collections.abc import Callable

_LONGEST = 4_096


def failure_of(attempt: Callable[[], object]) -> str:
    """What `attempt` raises, in one line; "" where it does not.

    The process is a copy of this one, in which the calling thread alone goes on.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            os.write(writing, _failure(attempt).encode()[:_LONGEST])
            status = 0
        finally:
            # Nothing of the process it was copied from must be put away a second time.
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        failure = stream.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if status and not failure:
        return f"the process that checked it ended with status {os.waitstatus_to_exitcode(status)}"
    return failure


def _failure(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    return ""
