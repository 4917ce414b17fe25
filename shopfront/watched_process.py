"""A process beside the router: started again whenever it ends, and ended with the router."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from triton_repo.bound_process import start_bound, stop_session

log = logging.getLogger(__name__)

_READY_WITHIN_S = 20.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_STEADY_AFTER_S = 60.0


Change = Literal["lost", "restarted", "failed"]


class ProcessStartError(Exception):
    """The process does not start; the message says why and where its log is."""


class WatchedProcess:
    """A process and a thread that starts it again, after pauses that double up to a minute."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        report: Callable[[str], None],
        *,
        ready: Callable[[], bool] = lambda: True,
        count: Callable[[Change], None] = lambda change: None,
        stops_within_s: float,
    ) -> None:
        """Starts nothing.

        Args:
            name: of what runs, for reports, such as "console".
            command: program and arguments.
            environment: its environment variables.
            log_file: what it prints is appended there.
            report: called with one line, from another thread, when it has ended, and when it is back.
            ready: whether it does what it was started for.
            count: called from the same thread: it was lost, restarted, or that a start has failed.
            stops_within_s: seconds that it has to end before it is killed.
        """
        self._name = name
        self._command = command
        self._environment = environment
        self._log_file = log_file
        self._report = report
        self._ready = ready
        self._count = count
        self._stops_within_s = stops_within_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"{name}-watch", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_lost = False

    def start(self) -> None:
        """Starts the process, waits until it is ready, and starts the watch.

        Raises:
            ProcessStartError: it ended, or was not ready within seconds; nothing is left running.
        """
        self._begin()
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch and the process."""
        self._stopping.set()
        self._thread.join()
        self._end()

    def _begin(self) -> None:
        try:
            self._process = start_bound(
                self._command, environment=self._environment, folder=Path.cwd(), log_file=self._log_file
            )
        except OSError as error:
            raise ProcessStartError(f"the {self._name} cannot be started: {error}") from error
        deadline = time.monotonic() + _READY_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._ready() or self._stopping.wait(0.05):
                return
        how = self._how_it_ended() or f"was not ready in {_READY_WITHIN_S:g} s"
        self._end()
        raise ProcessStartError(f"the {self._name} {how}; its log is {self._log_file}")

    def _end(self) -> None:
        if self._process is not None:
            stop_session(self._process, self._stops_within_s)
            self._process = None

    def _how_it_ended(self) -> str:
        """Empty where it runs, or was never started."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return ""
        return f"ended by signal {-code}" if code < 0 else f"ended with status {code}"

    def _watch(self) -> None:
        pause, since = _FIRST_PAUSE_S, time.monotonic()
        while not self._stopping.wait(0.2):
            if self._process is not None and self._process.poll() is None:
                continue
            if time.monotonic() - since > _STEADY_AFTER_S:
                pause = _FIRST_PAUSE_S
            if not self._is_lost:
                self._is_lost = True
                self._count("lost")
            self._say(
                f"the {self._name} has ended ({self._how_it_ended() or 'not started'}); it is started again "
                f"in {pause:g} s; its log is {self._log_file}"
            )
            # What it started may have outlived it.
            self._end()
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            try:
                self._begin()
            except ProcessStartError as error:
                self._count("failed")
                self._say(str(error))
            else:
                self._is_lost = False
                self._count("restarted")
                self._say(f"the {self._name} runs again")
            since = time.monotonic()

    def _say(self, line: str) -> None:
        if self._stopping.is_set():
            return
        try:
            self._report(line)
        except Exception:
            log.exception("the report of the %s's watch failed on %r", self._name, line)
