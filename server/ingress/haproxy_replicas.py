"""Whether HAProxy sends calls to the replicas, which it learns from Ray Serve after they are up.

Until then it sends them through Serve's own proxy. That costs each call another process, and loses the status
of a stream that is refused before its first message: the caller would see an empty one that went well.
"""

from __future__ import annotations

import csv
import io
import logging
import time
from collections.abc import Callable
from pathlib import Path

from server.ingress.haproxy_admin import admin_sockets, send_command

logger = logging.getLogger(__name__)

_COMMAND = "show stat"
_LOOK_S = 0.02
_ANSWER_S = 1.0
_GRPC = "grpc-"
# https://docs.haproxy.org/2.8/management.html#9.1; Serve's own proxy is not an active server, but a backup.
_SERVER, _ACTIVE, _UP = "2", "1", "UP"


def replicas_listed(answer: str) -> int:
    """Replicas that get calls over gRPC, by the answer to `show stat`.

    What is not said counts as none: a HAProxy can end while it answers.
    """
    rows = csv.DictReader(io.StringIO(answer.removeprefix("# ")))
    return sum(
        row.get("type") == _SERVER
        and row.get("act") == _ACTIVE
        and (row.get("pxname") or "").startswith(_GRPC)
        and (row.get("status") or "").startswith(_UP)
        for row in rows
    )


def wait_for_replicas(
    folder: Path,
    replicas: int,
    timeout_s: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Returns once HAProxy sends calls to the replicas; False, with a warning, where that takes too long.

    Args:
        folder: where Ray Serve keeps the files of its HAProxy.
        replicas: how many must get calls.
        timeout_s: seconds.
        now: the time, in seconds.
        sleep: waits for seconds.
    """
    began, listed = now(), 0
    while now() - began < timeout_s:
        for path in admin_sockets(folder):
            try:
                listed = replicas_listed(send_command(path, _COMMAND, _ANSWER_S))
            except OSError:
                # One HAProxy takes over from another.
                continue
            if listed >= replicas:
                return True
        sleep(_LOOK_S)
    logger.warning(
        "HAProxy sends calls to %d of %d replicas %g s after they were up; while there are none, calls go "
        "through Ray Serve's own proxy",
        listed,
        replicas,
        timeout_s,
    )
    return False
