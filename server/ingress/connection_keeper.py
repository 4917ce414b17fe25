"""Keeps room for new callers on an own gRPC server: idle connections end before a new one is refused.

While less than three quarters of the places are taken only their number is looked at. Above that, the
connections of addresses that hold more than `connections_per_address` end first, and of these the silent
ones, longest idle first. So callers who share one address, behind a NAT, keep theirs while there is room.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import Sequence

from server.connection_metrics import ConnectionMetrics
from server.ingress.open_connections import (
    OpenConnection,
    accepted_connections,
    end_connections,
    open_files,
)
from server.ingress.spare_memory import give_back_soon
from server.ingress_settings import LimitSettings

logger = logging.getLogger(__name__)

FULL_SHARE = 0.75
"""Share of the places above which idle connections end."""
_LEFT_SHARE = 0.7
_INTERVAL_S = 0.25
_SHOWN_INTERVAL_S = 5.0
# What a replica opens besides: files, mapped indexes, Ray's, Triton's and Redis's connections.
_OTHER_FILES = 256
# gRPC takes some 25 kB for each.
_MANY_GONE = 1_000


def raise_file_limit() -> int:
    """Lets this process open as many files as it may; returns how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def most_accepted(files: int) -> int:
    """Connections that a process which may open `files` files can accept, with some files left."""
    return max(1, files - _OTHER_FILES)


def places(limits: LimitSettings, processes: int, files: int) -> int:
    """Connections that one of `processes` processes, which may open `files` files, keeps.

    A burst of more is accepted first, so that none is refused before the idle ones among them are closed.
    """
    return min(-(-limits.connections // processes), most_accepted(files))


def to_end(connections: Sequence[OpenConnection], surplus: int, per_address: int) -> list[OpenConnection]:
    """Which `surplus` connections end, the first first.

    Of an address, the connections beyond `per_address` come before all others; among equals the silent ones,
    then those idle longest.
    """
    by_value = sorted(connections, key=lambda each: (each.silent, each.idle_s), reverse=True)
    left = Counter(each.address for each in connections)
    beyond, within = [], []
    for each in by_value:
        if left[each.address] > per_address:
            left[each.address] -= 1
            beyond.append(each)
        else:
            within.append(each)
    return [*beyond, *within][:surplus]


class ConnectionKeeper:
    """Watches the connections of one server of this process."""

    def __init__(self, port: int, most: int, limits: LimitSettings, metrics: ConnectionMetrics) -> None:
        """`most`: places of this process (`places`)."""
        self._port = port
        self._most = most
        self._limits = limits
        self._metrics = metrics
        self._were_open = 0

    async def run(self) -> None:
        """Looks several times a second, for ever."""
        shown = -_SHOWN_INTERVAL_S
        clock = asyncio.get_running_loop().time
        while True:
            full = open_files() > FULL_SHARE * self._most
            if full or clock() - shown > _SHOWN_INTERVAL_S:
                shown = clock()
                # Thousands of connections take a tenth of a second to list.
                await asyncio.to_thread(self.look)
            await asyncio.sleep(_INTERVAL_S)

    def look(self) -> None:
        """Ends what exceeds the share, and sets the metrics."""
        found = accepted_connections(self._port)
        ended = 0
        if len(found) > FULL_SHARE * self._most:
            surplus = len(found) - int(_LEFT_SHARE * self._most)
            victims = to_end(found, surplus, self._limits.connections_per_address)
            ended = end_connections(self._port, frozenset(each.inode for each in victims))
            address, most = Counter(each.address for each in victims).most_common(1)[0]
            logger.warning(
                "%d of %d connections are open: %d idle ones were closed to make room, %d of them from %s; "
                "limits.connections and limits.connections_per_address say how many may be",
                len(found),
                self._most,
                ended,
                most,
                address,
            )
            self._metrics.evicted(ended)
        self._metrics.open(len(found) - ended)
        # Of those ended now the memory is free by the next look.
        if self._were_open - len(found) >= _MANY_GONE:
            give_back_soon()
            self._were_open = len(found)
        self._were_open = max(self._were_open, len(found))
