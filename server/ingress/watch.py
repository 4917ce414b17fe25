"""Replacing a router whose process or whose Ray has died, and ending those of its processes that are stopped.

Its replicas continue to answer for a while without either. So the first successor starts while they run, at
the same address, and they end once it serves: there is a router at every moment.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import psutil

from server.ingress.awake_clock import AwakeClock
from server.ingress.crash_log import CrashLog
from server.ingress.launcher import RouterStartError, start_router
from server.ingress.router_handle import RouterHandle
from server.ingress.sessions import program_of
from server.ingress.stopped_processes import StoppedProcesses

logger = logging.getLogger(__name__)

_POLL_S = 0.1
# Looking at every process of the machine takes milliseconds.
_LOOK_S = 0.5
_LONGEST_LOOK_S = 2.0

Kind = Literal["lost", "restarted", "failed", "given_up", "crashed", "stopped"]


@dataclass(frozen=True, slots=True)
class RouterEvent:
    """What the watcher noticed or did, `detail` in one line.

    `lost`: the router's process or its Ray has died; `restarted`: another router serves at the address;
    `failed`: a start did not succeed; `given_up`: no further start follows; `crashed`: a signal of the kernel
    ended a replica, in whose place Ray starts another; `stopped`: a process was stopped for too long and has
    been killed, and what replaces a dead one replaces it. `attempt` counts starts since the
    router last lived long enough.
    """

    kind: Kind
    detail: str
    attempt: int


class RouterWatcher:
    """A thread that replaces a router that is lost, after pauses that double up to a limit.

    Pauses and the count of starts begin again once a router has lived for `steady_after_s`. `report` is
    called from the watcher's thread.
    """

    def __init__(
        self,
        router: RouterHandle,
        report: Callable[[RouterEvent], None],
        *,
        restarts: bool = True,
        randomness: random.Random | None = None,
    ) -> None:
        """`restarts`: False gives up at once, for programs that something else restarts."""
        self._router = router
        self._report = report
        self._restarts = restarts
        self._random = randomness or random.Random()
        self._settings = router.settings.supervision
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="router-watcher", daemon=True)
        self._attempt = 0
        self._alive_since = time.monotonic()
        self._given_up = ""
        self._crashes = CrashLog(router.settings.request_log.folder)
        self._clock = AwakeClock(_LONGEST_LOOK_S)
        self._stopped = StoppedProcesses(self._settings.stopped_after_s, self._clock)
        self._look_due = self._clock()

    @property
    def router(self) -> RouterHandle:
        """The router that serves, or the last that did."""
        return self._router

    @property
    def given_up(self) -> str:
        """Why there is no router any more and none will be started, in one line; "" while there is one."""
        return self._given_up

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch and a start under way, and stops the router; returns when no process is left."""
        self._stopping.set()
        self._thread.join()
        self._router.stop()

    def _watch(self) -> None:
        while not self._given_up and not self._stopping.wait(_POLL_S):
            for death in self._crashes.deaths():
                self._emit("crashed", f"a replica died: {death}; its stacks are in {self._crashes.path}")
            self._end_stopped()
            loss = self._router.loss()
            if loss is not None:
                self._replace(loss)

    def _end_stopped(self) -> None:
        if self._clock() < self._look_due:
            return
        self._look_due = self._clock() + _LOOK_S
        for process in self._stopped.overdue(self._router.processes()):
            what = program_of(process).strip() or "a process"
            with suppress(psutil.NoSuchProcess):
                # Not waited for: the first process of a session is the launcher's to reap, with the others.
                process.kill()
            self._emit(
                "stopped",
                f"{what} (process {process.pid}) was stopped for {self._settings.stopped_after_s:g} s and "
                "has been killed; another takes its place",
            )

    def _replace(self, loss: str) -> None:
        """Tries until a router serves, the starts are used up, or the watch ends."""
        settings = self._settings
        if time.monotonic() - self._alive_since > settings.steady_after_s:
            self._attempt = 0
        self._emit("lost", loss)
        if not self._restarts:
            self._give_up(loss)
            return
        last, share_address = loss, True
        while self._attempt < settings.max_starts:
            if self._stopping.wait(self._pause()):
                return
            self._attempt += 1
            try:
                successor = start_router(
                    self._router.settings,
                    plugins=self._router.plugins,
                    share_address=share_address,
                    cancel=self._stopping,
                )
            except RouterStartError as error:
                if self._stopping.is_set():
                    return
                last, share_address = str(error), False
                self._emit("failed", last)
                # What is left of the old router may hold what the new one needs.
                self._router.end()
                continue
            predecessor, self._router = self._router, successor
            self._alive_since = time.monotonic()
            predecessor.end()
            self._emit("restarted", f"the router answers again at {successor.address}")
            return
        self._give_up(f"{last} ({settings.max_starts} starts in a row failed or ended early)")

    def _pause(self) -> float:
        settings = self._settings
        longest = min(settings.restart_max_s, settings.restart_initial_s * 2.0 ** min(self._attempt, 30))
        return float(longest * (1.0 - settings.jitter * self._random.random()))

    def _give_up(self, reason: str) -> None:
        self._given_up = reason
        self._emit("given_up", reason)

    def _emit(self, kind: Kind, detail: str) -> None:
        event = RouterEvent(kind, detail, self._attempt)
        try:
            self._report(event)
        except Exception:
            logger.exception("the watcher's report callback failed on %s", event)
