"""Takes the lines about a shopper out of the routers' logs, where what they call the shopper is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from foundation.telemetry.logs.user_ids import UserIds
from router.service.settings import RequestLogSettings

_LOGS = ("router.log", "replicas.log")


def log_files(settings: RequestLogSettings) -> Iterator[Path]:
    """The logs of routers and what they were renamed to; none where no shopper could be found in them."""
    if settings.user_ids == "omitted" or (settings.user_ids == "hashed" and not settings.salt):
        return
    for name in _LOGS:
        for path in sorted(settings.folder.glob(f"{name}*")):
            if path.name == name or path.suffix.removeprefix(".").isdecimal():
                yield path


def erase_lines(path: Path, user_id: str, settings: RequestLogSettings) -> int:
    """Overwrites the lines about a shopper with blanks and returns how many; on disk on return.

    In place, so that routers may append meanwhile. The last line is left while it is being written.
    Raises OSError.
    """
    names = {user_id, UserIds(settings.salt)(user_id)} if settings.salt else {user_id}
    wanted = [b'"user":' + msgspec.json.encode(name) for name in names]
    erased, at = 0, 0
    with path.open("r+b", buffering=0) as file:
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and any(name in line for name in wanted):
                    os.pwrite(file.fileno(), b" " * (len(line) - 1), at)
                    erased += 1
                at += len(line)
        if erased:
            os.fsync(file.fileno())
    return erased
