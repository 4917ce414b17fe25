"""Tells the HAProxy of this router to refuse new calls, while those in progress end."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

from server.ingress.haproxy_launch import STOPPING_FILE, STOPPING_VARIABLE

logger = logging.getLogger(__name__)

ADMIN_SOCKET = "admin.sock"
_COMMAND = f"experimental-mode on; set var {STOPPING_VARIABLE} int(1)\n"
_TIMEOUT_S = 2.0


def refuse_new_calls(folder: Path) -> None:
    """From now on HAProxy answers new calls UNAVAILABLE, to be sent elsewhere; a fresh one takes none.

    `folder`: where Ray Serve keeps the files of its HAProxy, directly or in a folder per node. Where HAProxy
    is gone there is nobody to tell.
    """
    (folder / STOPPING_FILE).touch()
    for path in (*folder.glob(ADMIN_SOCKET), *folder.glob(f"*/{ADMIN_SOCKET}")):
        try:
            said = _ask(path, _COMMAND)
        except OSError as error:
            logger.warning("HAProxy cannot be told that the router stops: %s", error)
        else:
            if said.strip():
                logger.warning("HAProxy was told that the router stops and said: %s", said.strip())


def _ask(path: Path, command: str) -> str:
    """The answer to a command of HAProxy's admin socket
    (https://docs.haproxy.org/3.0/management.html#9.3).
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(command.encode())
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer.decode("utf-8", "replace")
