"""Makes the HAProxy of this router refuse new calls, while those in progress end."""

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
    """Makes HAProxy answer new calls UNAVAILABLE, to be sent elsewhere; one that starts later accepts none.

    `folder`: where Ray Serve keeps the files of its HAProxy, directly or in a folder per node. Without effect
    where HAProxy has ended.
    """
    (folder / STOPPING_FILE).touch()
    for path in (*folder.glob(ADMIN_SOCKET), *folder.glob(f"*/{ADMIN_SOCKET}")):
        try:
            answer = _send_command(path, _COMMAND)
        except OSError as error:
            logger.warning("HAProxy cannot be reached to refuse new calls: %s", error)
        else:
            if answer.strip():
                logger.warning("HAProxy answered the command to refuse new calls: %s", answer.strip())


def _send_command(path: Path, command: str) -> str:
    """Sends a command to HAProxy's admin socket and returns the answer.

    See https://docs.haproxy.org/3.0/management.html#9.3.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(command.encode())
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer.decode("utf-8", "replace")
