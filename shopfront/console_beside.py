"""The console beside a router: started, started again where it dies, and ended with what it shows."""

from __future__ import annotations

import os
import socket
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
from shopfront.watched_process import Change, ProcessStartError, WatchedProcess

_STOPS_WITHIN_S = 5.0


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
    count: Callable[[Change], None] = lambda change: None,
) -> Iterator[str]:
    """As `console_beside`; gives the line that says where the console is or why there is none.

    Empty where none is wanted. `router`: None where this process cannot call it; `count` as of
    `WatchedProcess`.
    """
    if not (wanted and settings.enabled):
        yield ""
        return
    if router is None:
        yield "No console: callers must show a certificate. Start shopfront console with --cert and --key."
        return
    with ExitStack() as stack:
        try:
            said = f"Console on {stack.enter_context(console_beside(router, settings, logs, report, count))}"
        except ProcessStartError as error:
            said = f"No console: {error}"
        yield said


@contextmanager
def console_beside(
    router: RouterAddress,
    settings: ConsoleSettings,
    logs: Path,
    report: Callable[[str], None],
    count: Callable[[Change], None] = lambda change: None,
) -> Iterator[str]:
    """A console of `router` while the body runs; gives its URL.

    Args:
        router: what it shows, with an operator's token where the router asks for one.
        settings: where it listens; port 0 = a free one.
        logs: folder for console.log.
        report: called with one line, from another thread, when the console dies and when it is back.
        count: as of `WatchedProcess`.

    Raises:
        ProcessStartError: it does not listen within seconds; nothing is left running.
    """
    problem = why_no_console(settings)
    if problem:
        raise ProcessStartError(problem)
    placed = _placed(settings)
    watch = WatchedProcess(
        "console",
        command(router, placed),
        environment(router, os.environ),
        logs / "console.log",
        report,
        ready=lambda: _listens(placed.address),
        count=count,
        stops_within_s=_STOPS_WITHIN_S,
    )
    watch.start()
    try:
        yield f"http://{placed.address}/"
    finally:
        watch.stop()


def _listens(address: str) -> bool:
    host, port = split_address(address)
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=1.0):
            return True
    except OSError:
        return False


def _placed(settings: ConsoleSettings) -> ConsoleSettings:
    """The settings with a free port in place of 0."""
    host, port = split_address(settings.address)
    return settings if port else settings.model_copy(update={"address": f"{host}:{free_ports(1)[0]}"})
