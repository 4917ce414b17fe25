"""Starts the router as separate processes and returns a handle to call, watch and stop it."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from registration.plugins import VARIABLE
from server.ingress.add_services import REQUEST_BYTES_VARIABLE
from server.ingress.awake_clock import AwakeClock
from server.ingress.haproxy_launch import CONNECTIONS_VARIABLE
from server.ingress.ports import free_ports
from server.ingress.process_status import ProcessStatus, StatusReader
from server.ingress.ray_site import FOLDER
from server.ingress.router_process import LOST_RAY, StartRequest
from server.ingress.session_folder import hold, make_session_folder
from server.ingress.sessions import kill_all, program_of, session_processes
from server.ingress.startup_probe import why_not_serving
from server.ingress_settings import split_address
from server.plugins import plugins_environment
from server.settings import RouterSettings

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_PORT_TAKEN = ("Address already in use", "failed to start their listeners")
_STOP_MARGIN_S = 30.0
_BETWEEN_REPLICAS_S = 0.5
_POLL_S = 0.05
# `loss` is asked far more often; the process of the one who asks was stopped meanwhile.
_LONGEST_LOOK_S = 2.0


class RouterStartError(Exception):
    """The router does not start; the message contains the reason and the path of its log."""


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
                self._loss = f"the router's process ended with {_ending(status)}"
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
        psutil.wait_procs(proxies, timeout=self.settings.ingress.drain_s)
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
    return "it is not ready in time" if status is None else f"its process ended with {_ending(status)}"


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
            raise RouterStartError(
                f"{handle.address} does not serve ({last}); the router's log is {log_path}"
            )
        time.sleep(_POLL_S)


def _ending(status: int) -> str:
    if status == LOST_RAY:
        return "Ray lost"
    return f"signal {-status}" if status < 0 else f"status {status}"
