"""Free TCP ports of this machine."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence

# Both below the range Linux hands out to outgoing connections (32768 and up): a port from there can be gone,
# to any connection of any process, between being found free and being used.
_SINGLE_PORTS = range(26_000, 32_000)
_RANGE_START, _RANGE_END, _RANGE_STEP = 20_000, 26_000, 50


def free_ports(count: int) -> list[int]:
    """`count` distinct ports nothing listens on at this moment, on any interface.

    Drawn at random, so that processes looking at the same moment hardly find the same. Raises OSError where
    there are not so many.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(_SINGLE_PORTS, len(_SINGLE_PORTS)):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free ports between {_SINGLE_PORTS.start} and {_SINGLE_PORTS.stop}")


def free_range(seed: int) -> Sequence[int]:
    """A run of 50 ports nothing listens on at this moment; `seed`: where the search begins.

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
