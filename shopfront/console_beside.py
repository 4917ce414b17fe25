"""The console beside a router: started, started again where it dies, and ended with what it shows."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from console.access import Access
from console.process_options import command, environment
from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress
from server.ingress.ports import free_ports
from server.ingress_settings import split_address
from shopfront.before_build import why_taken
from triton_repo.bound_process import start_bound, stop_session

log = logging.getLogger(__name__)

_STARTS_WITHIN_S = 20.0
_STOPS_WITHIN_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_STEADY_AFTER_S = 60.0


class ConsoleStartError(Exception):
    """The console does not start; the message says why and what to do."""


def why_no_console(settings: ConsoleSettings) -> str:
    """Why nothing can listen at the console's address now, and what to do; "" where something can."""
    host, port = split_address(settings.address)
    why = why_taken(host, port) if port else ""
    if not why:
        return ""
    return (
        f"{settings.address} cannot be taken ({why}); stop what holds it, set console.address, or set "
        "console.enabled: false"
    )


def look_for_console(settings: ConsoleSettings, report: Callable[[str], None]) -> None:
    """Says before minutes of building what would keep the console away.

    A taken port is no reason not to serve: a second shop on this machine has the same default. A file of
    users that cannot be used is a mistake: raises `AccessError`.
    """
    if not settings.enabled:
        return
    Access(settings.tokens_file)
    problem = why_no_console(settings)
    if problem:
        report(f"There will be no console: {problem}")


@contextmanager
def console_of(
    router: RouterAddress | None,
    settings: ConsoleSettings,
    logs: Path,
    report: Callable[[str], None],
    *,
    wanted: bool,
) -> Iterator[str]:
    """As `console_beside`; gives the line that says where the console is or why there is none.

    Empty where none is wanted. `router`: None where this process cannot call it.
    """
    if not (wanted and settings.enabled):
        yield ""
        return
    if router is None:
        yield "No console: callers must show a certificate. Start shopfront console with --cert and --key."
        return
    with ExitStack() as stack:
        try:
            said = f"Console on {stack.enter_context(console_beside(router, settings, logs, report))}"
        except ConsoleStartError as error:
            said = f"No console: {error}"
        yield said


@contextmanager
def console_beside(
    router: RouterAddress, settings: ConsoleSettings, logs: Path, report: Callable[[str], None]
) -> Iterator[str]:
    """A console of `router` while the body runs; gives its URL.

    Args:
        router: what it shows, with an operator's token where the router asks for one.
        settings: where it listens; port 0 = a free one.
        logs: folder for console.log.
        report: told, in one line and from another thread, when the console dies and when it is back.

    Raises:
        ConsoleStartError: it does not listen within seconds; nothing is left running.
    """
    problem = why_no_console(settings)
    if problem:
        raise ConsoleStartError(problem)
    watch = ConsoleWatch(router, _placed(settings), logs / "console.log", report)
    watch.start()
    try:
        yield watch.url
    finally:
        watch.stop()


class ConsoleWatch:
    """A thread that starts the console again whenever it ends, after pauses that double up to a minute."""

    def __init__(
        self,
        router: RouterAddress,
        settings: ConsoleSettings,
        log_file: Path,
        report: Callable[[str], None],
    ) -> None:
        """Starts nothing. `settings`: with the port to listen on; `report`: told in one line."""
        self.url = f"http://{settings.address}/"
        self._command = command(router, settings)
        self._environment = environment(router, os.environ)
        self._address = split_address(settings.address)
        self._log_file = log_file
        self._report = report
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="console-watch", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the console and the watch. Raises `ConsoleStartError`."""
        self._begin()
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch and the console."""
        self._stopping.set()
        self._thread.join()
        self._end()

    def _begin(self) -> None:
        """Starts a process and waits until it listens."""
        self._process = start_bound(
            self._command, environment=self._environment, folder=Path.cwd(), log_file=self._log_file
        )
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._listens():
                return
            if self._stopping.wait(0.05):
                return
        ended = self._process.poll()
        self._end()
        how = (
            f"ended with status {ended}" if ended is not None else f"did not listen in {_STARTS_WITHIN_S:g} s"
        )
        raise ConsoleStartError(f"the console {how}; its log is {self._log_file}")

    def _end(self) -> None:
        if self._process is not None:
            stop_session(self._process, _STOPS_WITHIN_S)
            self._process = None

    def _listens(self) -> bool:
        host, port = self._address
        try:
            with socket.create_connection((host.strip("[]"), port), timeout=1.0):
                return True
        except OSError:
            return False

    def _watch(self) -> None:
        pause, since = _FIRST_PAUSE_S, time.monotonic()
        while not self._stopping.wait(0.2):
            if self._process is not None and self._process.poll() is None:
                continue
            if time.monotonic() - since > _STEADY_AFTER_S:
                pause = _FIRST_PAUSE_S
            self._say(f"the console has ended; it is started again in {pause:g} s")
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            try:
                self._begin()
            except ConsoleStartError as error:
                self._say(str(error))
            else:
                self._say(f"the console runs again at {self.url}")
            since = time.monotonic()

    def _say(self, line: str) -> None:
        if self._stopping.is_set():
            return
        try:
            self._report(line)
        except Exception:
            log.exception("the report of the console's watch failed on %r", line)


def _placed(settings: ConsoleSettings) -> ConsoleSettings:
    """The settings with a free port in place of 0."""
    host, port = split_address(settings.address)
    return settings if port else settings.model_copy(update={"address": f"{host}:{free_ports(1)[0]}"})
