"""Starts the router as separate processes and returns a handle to call, watch and stop it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from registration.plugins import VARIABLE
from server.ingress.add_services import REQUEST_BYTES_VARIABLE
from server.ingress.haproxy_launch import CONNECTIONS_VARIABLE
from server.ingress.ports import free_ports
from server.ingress.process_status import ProcessStatus
from server.ingress.ray_site import FOLDER
from server.ingress.router_handle import RouterHandle, ending
from server.ingress.router_process import StartRequest
from server.ingress.session_folder import make_session_folder
from server.ingress.startup_probe import why_not_serving
from server.ingress_settings import split_address
from server.plugins import plugins_environment
from server.settings import RouterSettings

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_PORT_TAKEN = ("Address already in use", "failed to start their listeners")
_POLL_S = 0.05


class RouterStartError(Exception):
    """The router does not start; the message contains the reason and the path of its log."""


def start_router(
    settings: RouterSettings,
    *,
    plugins: Sequence[str] = (),
    share_address: bool = False,
    cancel: threading.Event | None = None,
) -> RouterHandle:
    """Starts Ray (or joins `ray.address`), deploys the replicas and returns when the address answers.

    Args:
        settings: the router's configuration.
        plugins: modules that each of its processes loads, as in the setting `plugins`.
        share_address: the address may be that of another router, which this one is to replace: both listen
            at it until the other one ends.
        cancel: ends the start, as a RouterStartError, once it is set.

    Replicas count into `metrics.folder`; serving /metrics is the caller's
    (`foundation.telemetry.metrics.serve_metrics`).

    The processes end with `stop()` or with the calling process. Their log is `router.log` in
    `request_log.folder`.

    Raises:
        RouterStartError: the address is taken, a replica cannot be built (a snapshot, the state, …), or the
            router is not ready within `ingress.start_timeout_s`; nothing is left running.
    """
    cancel = cancel or threading.Event()
    _, port = split_address(settings.ingress.address)
    for _ in range(_ATTEMPTS - 1 if port == 0 else 0):
        try:
            return _start(_completed(settings), plugins, share_address, cancel)
        except RouterStartError as error:
            # A port found free can be taken by another process before it is used; then another one is found.
            if not any(sign in str(error) for sign in _PORT_TAKEN):
                raise
            logger.warning("trying another port: %s", error)
    return _start(_completed(settings), plugins, share_address, cancel)


def _start(
    settings: RouterSettings, plugins: Sequence[str], share_address: bool, cancel: threading.Event
) -> RouterHandle:
    if not share_address:
        _check_address(settings.ingress.address)
    log_path = settings.request_log.folder.absolute() / "router.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    folder = make_session_folder()
    deadline = time.monotonic() + settings.ingress.start_timeout_s
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "server.ingress.router_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=_environment(plugins),
        )
    handle = RouterHandle(settings, plugins, process, folder)
    reported: ProcessStatus | None = None
    try:
        _send(process, StartRequest(settings.model_dump(mode="json"), str(folder), tuple(plugins)))
        reported = handle.status_reader.wait(deadline, cancel)
        if reported is None or reported.error:
            raise RouterStartError(
                f"the router does not start: {_why(reported, handle, cancel)}; its log is {log_path}"
            )
        _wait_until_serving(handle, deadline, log_path, cancel)
    except BaseException:
        if reported is None:
            # It is still starting and does not read its standard input yet.
            handle.end()
        else:
            handle.stop()
        raise
    return handle


def _why(reported: ProcessStatus | None, handle: RouterHandle, cancel: threading.Event) -> str:
    if reported is not None:
        return reported.error
    if cancel.is_set():
        return "the start was cancelled"
    status = handle.exit_status()
    return f"it {_late(handle)}" if status is None else f"its process ended with {ending(status)}"


def _late(handle: RouterHandle) -> str:
    given_s = handle.settings.ingress.start_timeout_s
    return (
        f"is not ready within {given_s:g} s; where the machine has much else to do, raise "
        "router.ingress.start_timeout_s"
    )


def _completed(settings: RouterSettings) -> RouterSettings:
    """The settings with what all replicas must agree on: the port and the salts."""
    host, port = split_address(settings.ingress.address)
    chosen = port or free_ports(1)[0]
    salt = settings.request_log.salt or secrets.token_hex(16)
    recording_salt = settings.recording.salt or secrets.token_hex(16)
    return settings.model_copy(
        update={
            "ingress": settings.ingress.model_copy(update={"address": f"{host}:{chosen}"}),
            "request_log": settings.request_log.model_copy(update={"salt": salt}),
            "recording": settings.recording.model_copy(update={"salt": recording_salt}),
        }
    )


def _check_address(address: str) -> None:
    host, port = split_address(address)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise RouterStartError(
                f"the router does not start: {address} cannot be taken ({error.strerror}); stop what holds "
                "it, or set ingress.address"
            ) from error


def _environment(plugins: Sequence[str]) -> dict[str, str]:
    # Serve's variables and plug-ins of another router must not leak into this one.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RAY_SERVE_")
        and name not in (VARIABLE, REQUEST_BYTES_VARIABLE, CONNECTIONS_VARIABLE)
    }
    path = os.pathsep.join(filter(None, (str(FOLDER), os.environ.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": path} | plugins_environment(plugins)


def _send(process: subprocess.Popen[bytes], request: StartRequest) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(request) + b"\n")
    process.stdin.flush()


def _wait_until_serving(
    handle: RouterHandle, deadline: float, log_path: Path, cancel: threading.Event
) -> None:
    while True:
        last = why_not_serving(handle.settings, handle.processes())
        if last is None:
            return
        if time.monotonic() > deadline or cancel.is_set():
            why = last if cancel.is_set() else f"{last}; it {_late(handle)}"
            raise RouterStartError(f"{handle.address} does not serve ({why}); the router's log is {log_path}")
        time.sleep(_POLL_S)
