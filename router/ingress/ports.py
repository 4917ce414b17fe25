"""Free TCP ports of this machine."""

from __future__ import annotations

import socket
from collections.abc import Sequence

# Below the range Linux hands out to outgoing connections (32768 and up).
_RANGE_START, _RANGE_END, _RANGE_STEP = 20_000, 32_000, 50


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """`count` distinct ports nothing listens on at this moment."""
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind((host, 0))
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def free_range(seed: int) -> Sequence[int]:
    """A run of 50 ports nothing listens on at this moment; `seed` says where to begin to look.

    Raises OSError where there is none.
    """
    starts = range(_RANGE_START, _RANGE_END, _RANGE_STEP)
    for offset in range(len(starts)):
        start = starts[(seed + offset) % len(starts)]
        ports = range(start, start + _RANGE_STEP)
        if all(_is_free(port) for port in ports):
            return ports
    raise OSError(f"no run of {_RANGE_STEP} free ports between {_RANGE_START} and {_RANGE_END}")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("", port))
        except OSError:
            return False
    return True
