"""The folder of a router's sockets and Ray session, and how a killed router's is known from a live one's."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from server.ingress.sessions import kill_all, session_processes
from triton_repo.process_ends import is_alive

# HAProxy's sockets lie two levels below and may have paths of at most 97 bytes.
_PARENT = Path("/tmp")
_PREFIX = "shopfront-"
_LOCK = "in_use"
_YOUNG_S = 10.0


def make_session_folder(parent: Path = _PARENT) -> Path:
    """A new folder with a short path, which its caller is to `hold` within 10 s."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    (folder / _LOCK).touch()
    return folder


def hold(folder: Path, *, leads: bool = False) -> int:
    """Marks a session's folder as in use until this process ends, however it ends, or closes the descriptor.

    Held by the router's process, which leads the session of all others (`leads`), and by the program that
    started it: while either lives, it ends the rest.

    Returns:
        The descriptor.
    """
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_APPEND)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    # Something is in the file once it was held: then nobody who is about to hold it is waited for.
    os.write(descriptor, b"session %d\n" % os.getpid() if leads else b"started\n")
    return descriptor


def end_abandoned(parent: Path = _PARENT) -> list[str]:
    """Ends what routers left that were killed together with the program that started them.

    Their replicas would answer for minutes more, at an address that the next router needs, with nobody to
    replace or stop them. Only folders and processes of this user are touched.

    Returns:
        One line for each such router.
    """
    ended = []
    for folder in sorted(parent.glob(f"{_PREFIX}*")):
        descriptor = _abandoned(folder)
        if descriptor is None:
            continue
        try:
            left = _processes_of(folder)
            kill_all(left)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
        ended.append(f"ended what a killed router left behind: {len(left)} processes and {folder}")
    return ended


def _abandoned(folder: Path) -> int | None:
    """A descriptor that keeps others away, where nobody holds the folder."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        # Another user's, one that is being removed, or not a router's.
        return None
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # One that was made this moment is held by nobody yet.
        status = os.fstat(descriptor)
        if status.st_size or time.time() - status.st_mtime > _YOUNG_S:
            return descriptor
    os.close(descriptor)
    return None


def _processes_of(folder: Path) -> list[psutil.Process]:
    """What is left of the session that the folder names.

    A session keeps the number of its dead leader from being another process's; where a living process has
    it, the session has ended.
    """
    lines = (folder / _LOCK).read_text().splitlines()
    leaders = [int(line.removeprefix("session ")) for line in lines if line.startswith("session ")]
    return [process for leader in leaders if not _lives(leader) for process in session_processes(leader)]


def _lives(pid: int) -> bool:
    try:
        return is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False
