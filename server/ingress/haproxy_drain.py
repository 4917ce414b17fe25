"""Makes the HAProxy of this router refuse new calls, while those in progress end."""

from __future__ import annotations

import logging
from pathlib import Path

from server.ingress.haproxy_admin import admin_sockets, send_command
from server.ingress.haproxy_launch import STOPPING_FILE, STOPPING_VARIABLE

logger = logging.getLogger(__name__)

_COMMAND = f"experimental-mode on; set var {STOPPING_VARIABLE} int(1)"
_TIMEOUT_S = 2.0


def refuse_new_calls(folder: Path) -> None:
    """Makes HAProxy answer new calls UNAVAILABLE, to be sent elsewhere; one that starts later accepts none.

    `folder`: where Ray Serve keeps the files of its HAProxy, directly or in a folder per node. Without effect
    where HAProxy has ended.
    """
    (folder / STOPPING_FILE).touch()
    for path in admin_sockets(folder):
        try:
            answer = send_command(path, _COMMAND, _TIMEOUT_S)
        except OSError as error:
            logger.warning("HAProxy cannot be reached to refuse new calls: %s", error)
        else:
            if answer.strip():
                logger.warning("HAProxy answered the command to refuse new calls: %s", answer.strip())
