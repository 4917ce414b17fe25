"""Turns this process into the command it is given, bound to the life of the process that started it.

Run as a script: `launch.py <parent pid> <command> [argument…]`. Linux sends SIGTERM to the command when
its parent dies, however it dies. A child that sets this up between fork and exec would run Python in a
copy of a threaded process, which may deadlock; a fresh interpreter cannot.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def bind(parent: int) -> None:
    """Has this process get a SIGTERM when the thread of `parent` that started it ends.

    Raises OSError where Linux refuses, SystemExit where `parent` is gone already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        raise SystemExit("the starting process is gone")


def main(parent: int, command: list[str]) -> None:
    """Binds this process to `parent` and becomes `command`; does not return."""
    bind(parent)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
