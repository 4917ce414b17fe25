"""A router that runs in processes of its own: whether it lives, what it is lost by, and how it ends."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from server.ingress.awake_clock import AwakeClock
from server.ingress.process_status import StatusReader
from server.ingress.router_process import LOST_RAY
from server.ingress.session_folder import hold
from server.ingress.sessions import kill_all, program_of, session_processes
from server.settings import RouterSettings
from triton_repo.process_ends import wait_until_ended

logger = logging.getLogger(__name__)

_STOP_MARGIN_S = 30.0
_BETWEEN_REPLICAS_S = 0.5
_POLL_S = 0.05
# `loss` is asked far more often; the process of the one who asks was stopped meanwhile.
_LONGEST_LOOK_S = 2.0


class RouterHandle:
    """A running router."""

    def __init__(
        self,
        settings: RouterSettings,
        plugins: Sequence[str],
        process: subprocess.Popen[bytes],
        folder: Path,
    ) -> None:
        """`settings` with a port and a salt; `folder`: used by this router alone, removed in the end."""
        self.settings = settings
        """What it runs with; another router started with these and `plugins` takes over from this one."""
        self.plugins = tuple(plugins)
        """Modules loaded in each of its processes."""
        self._process = process
        self._folder = folder
        self._held = hold(folder)
        assert process.stdout is not None
        self.status_reader = StatusReader(process.stdout)
        self._loss: str | None = None
        self._clock = AwakeClock(_LONGEST_LOOK_S)
        self._beats = 0
        self._beat_at = self._clock()

    @property
    def address(self) -> str:
        """host:port that answers gRPC."""
        return self.settings.ingress.address

    def is_running(self) -> bool:
        """Whether the first process of the router's session lives."""
        return self.exit_status() is None

    def exit_status(self) -> int | None:
        """0 where the router stopped on request; None while it lives, −n where signal n ended it."""
        if self._process.returncode is not None:
            return self._process.returncode
        # Not reaped until its whole session has ended: the process id could be another session's once free.
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def loss(self) -> str | None:
        """In one line why nothing that dies is replaced any more; None while Ray and its process live.

        Replicas may continue to answer for minutes, until `end`.
        """
        if self._loss is None:
            status = self.exit_status()
            reported = self.status_reader.poll()
            if reported is not None:
                self._loss = reported.error
            elif status is not None:
                self._loss = f"the router's process ended with {ending(status)}"
            else:
                self._loss = self._silence()
        return self._loss

    def _silence(self) -> str | None:
        now, beats = self._clock(), self.status_reader.beats
        if beats != self._beats:
            self._beats, self._beat_at = beats, now
        silent_s = now - self._beat_at
        if silent_s <= self.settings.supervision.router_silent_s:
            return None
        return f"the router's process has given no sign of life for {silent_s:.0f} s"

    def processes(self) -> list[psutil.Process]:
        """Every living process of the router, Ray's and HAProxy's included."""
        # All are in the session that the first one leads, also those whose parents have died.
        return [] if self._process.returncode is not None else session_processes(self._process.pid)

    def pids(self) -> list[int]:
        """Process ids of `processes()`."""
        return [process.pid for process in self.processes()]

    def replica_pids(self) -> list[int]:
        """Process ids of the replicas."""
        return [replica.pid for replica in self._replicas()]

    def stop(self) -> None:
        """Lets calls in progress finish, stops every process, and returns when none is left.

        One that is lost ends as by `end`.
        """
        if self.loss() is not None:
            self.end()
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        ingress = self.settings.ingress
        limit_s = ingress.deregister_s + ingress.drain_s + _STOP_MARGIN_S
        deadline = time.monotonic() + limit_s
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if self.is_running():
            logger.warning("the router did not stop within %.0f s and is killed", limit_s)
        left = [program_of(process) for process in self.processes()]
        if left:
            logger.warning("the router left processes behind, which are killed: %s", ", ".join(left))
        self._kill()

    def end(self) -> None:
        """Ends every process, without Ray's help; returns when none is left.

        HAProxy finishes its calls in progress within `ingress.drain_s`. With own gRPC they end UNAVAILABLE,
        one replica after the other, so that a call which is sent again does not fail a second time.
        """
        proxies = [process for process in self.processes() if program_of(process) == "haproxy"]
        for proxy in proxies:
            with suppress(psutil.NoSuchProcess):
                # HAProxy's signal for stopping softly (https://docs.haproxy.org/2.8/management.html#4).
                proxy.send_signal(signal.SIGUSR1)
        wait_until_ended(proxies, self.settings.ingress.drain_s)
        if not proxies:
            for replica in self._replicas():
                kill_all([replica])
                time.sleep(_BETWEEN_REPLICAS_S)
        self._kill()

    def _replicas(self) -> list[psutil.Process]:
        return [process for process in self.processes() if program_of(process).startswith("ray::ServeRepl")]

    def _kill(self) -> None:
        others = [process for process in self.processes() if process.pid != self._process.pid]
        self._process.kill()
        kill_all(others)
        self._process.wait(10)
        assert self._process.stdin is not None
        self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


def ending(status: int) -> str:
    """How a process ended, as messages say it, by `RouterHandle.exit_status`."""
    if status == LOST_RAY:
        return "Ray lost"
    return f"signal {-status}" if status < 0 else f"status {status}"
