"""Commands to the HAProxy of this router: https://docs.haproxy.org/2.8/management.html#9.3."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

ADMIN_SOCKET = "admin.sock"


def admin_sockets(folder: Path) -> Iterator[Path]:
    """The sockets of this router's HAProxy in `folder`, or in a folder per node below it."""
    yield from folder.glob(ADMIN_SOCKET)
    yield from folder.glob(f"*/{ADMIN_SOCKET}")


def send_command(path: Path, command: str, timeout_s: float) -> str:
    """What HAProxy answers; several commands are separated by `;`.

    Raises TimeoutError where it does not answer in time, another OSError where there is no HAProxy.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except BlockingIOError as error:
            # Its backlog is full of commands that it has not accepted.
            raise TimeoutError(f"{path} accepts no command") from error
        connection.sendall(f"{command}\n".encode())
        answer = b""
        while piece := connection.recv(16_384):
            answer += piece
    return answer.decode("utf-8", "replace")
