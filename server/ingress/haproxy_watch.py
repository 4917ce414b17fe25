"""Watches HAProxy: how many connections it holds and refuses, and whether it answers at all.

A HAProxy that has died is replaced by Ray Serve. One that hangs keeps its port, so that callers connect to it
and wait: it is killed, and then replaced like one that died.
"""

from __future__ import annotations

import csv
import io
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.connection_metrics import ConnectionMetrics
from server.ingress.awake_clock import AwakeClock
from server.ingress.haproxy_admin import admin_sockets, send_command

logger = logging.getLogger(__name__)

_FRONTEND = ("grpc_frontend", "FRONTEND")
_COMMAND = "show info;show stat"
_INTERVAL_S = 1.0
_REPORT_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True)
class HaproxyState:
    """What HAProxy says of itself."""

    pid: int
    connections: int
    """Open at the gRPC front."""
    places: int
    """Connections that it takes there."""
    refused: int
    """Connections since its start that were over their address's share."""


def haproxy_state(answer: str) -> HaproxyState:
    """Reads the answer to `show info;show stat`. Raises ValueError, KeyError where it is something else."""
    info, _, statistics = answer.partition("\n\n")
    facts = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
    for row in csv.DictReader(io.StringIO(statistics.removeprefix("# "))):
        if (row["pxname"], row["svname"]) == _FRONTEND:
            return HaproxyState(int(facts["Pid"]), int(row["scur"]), int(row["slim"]), int(row["dcon"]))
    # Of a HAProxy that does not listen for gRPC yet.
    return HaproxyState(int(facts["Pid"]), 0, 0, 0)


class HaproxyWatch:
    """A thread that asks once a second."""

    def __init__(
        self,
        folder: Path,
        metrics: ConnectionMetrics,
        *,
        wanted: int,
        silent_after_s: float,
        kill: Callable[[], None],
    ) -> None:
        """Watches nothing until it is started.

        Args:
            folder: where Ray Serve keeps the files of its HAProxy.
            metrics: receives what it says.
            wanted: `limits.connections`.
            silent_after_s: seconds without an answer after which it is killed.
            kill: ends every HAProxy of this router.
        """
        self._folder = folder
        self._metrics = metrics
        self._wanted = wanted
        self._silent_after_s = silent_after_s
        self._kill = kill
        self._clock = AwakeClock(_INTERVAL_S + silent_after_s / 4)
        self._answered = self._clock()
        self._last: HaproxyState | None = None
        self._refused = 0
        self._report_due = self._clock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="haproxy-watch", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch; a HAProxy that stops is not asked any more."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(_INTERVAL_S):
            try:
                self.look()
            except Exception:
                logger.exception("HAProxy could not be watched")

    def look(self) -> None:
        """Asks once, and kills a HAProxy that has not answered for too long."""
        for path in admin_sockets(self._folder):
            try:
                answer = send_command(path, _COMMAND, timeout_s=max(0.1, self._silent_after_s / 4))
            except TimeoutError:
                silent_s = self._clock() - self._answered
                if silent_s > self._silent_after_s:
                    logger.error("HAProxy has not answered for %.1f s and is killed", silent_s)
                    self._kill()
                    self._answered = self._clock()
                return
            except OSError:
                # There is none; Ray Serve starts another.
                continue
            self._observe(haproxy_state(answer))
        self._answered = self._clock()

    def _observe(self, state: HaproxyState) -> None:
        if state.places and (self._last is None or self._last.places != state.places < self._wanted):
            logger.log(
                logging.WARNING if state.places < self._wanted else logging.INFO,
                "HAProxy takes %d connections; limits.connections is %d. Where it takes fewer, it may not "
                "open enough files: raise `ulimit -n`",
                state.places,
                self._wanted,
            )
        # A fresh HAProxy counts from 0.
        began = 0 if self._last is None or self._last.pid != state.pid else self._last.refused
        self._last = state if state.places else self._last
        self._metrics.open(state.connections)
        self._metrics.refused(max(0, state.refused - began))
        self._refused += max(0, state.refused - began)
        if self._refused and self._clock() >= self._report_due:
            logger.warning(
                "HAProxy refused %d connections: %d of %d are open, and an address that has more than "
                "limits.connections_per_address gets no more while three quarters are",
                self._refused,
                state.connections,
                state.places,
            )
            self._refused = 0
            self._report_due = self._clock() + _REPORT_INTERVAL_S
