"""The processes of a session: what one process started, also where their parents have died."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

import psutil

from triton_repo.process_ends import is_alive, wait_until_ended


def session_processes(leader: int) -> list[psutil.Process]:
    """Every living process of the session that process id `leader` leads or led."""
    return [process for process in psutil.process_iter() if _belongs(process, leader)]


def kill_all(processes: Iterable[psutil.Process], timeout_s: float = 10.0) -> None:
    """Ends processes by SIGKILL and waits up to `timeout_s` seconds for them."""
    killed = list(processes)
    for process in killed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until_ended(killed, timeout_s)


def command_of(process: psutil.Process) -> list[str]:
    """The words of its command line; none where it is gone."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def program_of(process: psutil.Process) -> str:
    """File name of the program, or the title that Ray gives its workers; "" where it is gone."""
    words = command_of(process)
    return " ".join(words) if not words or words[0].startswith("ray::") else os.path.basename(words[0])


def listens_on(processes: Iterable[psutil.Process], port: int) -> bool:
    """Whether one of the processes accepts TCP connections at the port."""
    for process in processes:
        with suppress(psutil.Error):
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False


def _belongs(process: psutil.Process, leader: int) -> bool:
    try:
        return os.getsid(process.pid) == leader and is_alive(process)
    except ProcessLookupError:
        return False
