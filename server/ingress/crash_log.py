"""What a replica leaves behind that a signal of the kernel ends (SIGBUS, SIGSEGV, …), and what it says.

Such a replica writes nothing to its own log, and Ray starts another in silence. Python's faulthandler writes
the stacks of its threads into one file for all replicas, from which the supervisor takes a line.
"""

from __future__ import annotations

import faulthandler
import os
import re
from pathlib import Path

CRASH_LOG_NAME = "crashes.log"
_LARGEST_BYTES = 1024 * 1024
_DEATH = re.compile(
    r"^Fatal Python error: (?P<cause>.+)\n(?P<stacks>(?:(?!Fatal Python error: ).*\n?)*)", re.MULTILINE
)
_RUNNING_THREAD = re.compile(r"^Current thread .*\n(?P<frames>(?:  File .*\n?)*)", re.MULTILINE)
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)')
_CAUSES = {
    "Bus error": "Bus error: a mapped file was shortened, or its disk is full or broken",
}


def record_crashes(folder: Path) -> None:
    """Has this process write its stacks to `<folder>/crashes.log` when a signal of the kernel ends it.

    Raises OSError where the file cannot be opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CRASH_LOG_NAME
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    if path.exists() and path.stat().st_size > _LARGEST_BYTES:
        flags |= os.O_TRUNC
    # Kept open for as long as the process lives: a signal handler cannot open files.
    faulthandler.enable(os.open(path, flags, 0o600), all_threads=True)


class CrashLog:
    """Reads what is added to the crash log."""

    def __init__(self, folder: Path) -> None:
        """Of `<folder>/crashes.log`, from its present end on."""
        self.path = folder / CRASH_LOG_NAME
        self._read_to = self._size()

    def deaths(self) -> list[str]:
        """Since the last call, one line for each process that died: of what, and where in the program."""
        size = self._size()
        if size == self._read_to:
            return []
        with self.path.open("rb") as file:
            # One that is shorter now was begun anew.
            file.seek(min(self._read_to, size) if size > self._read_to else 0)
            added = file.read().decode(errors="replace")
        self._read_to = size
        return [_in_one_line(death) for death in _DEATH.finditer(added)]

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


def _in_one_line(death: re.Match[str]) -> str:
    cause = _CAUSES.get(death["cause"], death["cause"])
    thread = _RUNNING_THREAD.search(death["stacks"])
    frame = _FRAME.search(thread["frames"]) if thread is not None else None
    if frame is None:
        return cause
    return f"{cause} (in {frame['function']}, {frame['file']}, line {frame['line']})"
