"""Starts the router as processes of their own and hands back a handle to call, watch and stop it."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import grpc
import msgspec
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from router.ingress.ports import free_ports
from router.ingress.router_process import Orders, Report
from router.ingress.settings import IngressSettings, split_address
from router.settings import RouterSettings

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_PORT_TAKEN = ("Address already in use", "failed to start their listeners")
_STOP_MARGIN_S = 30.0


class RouterStartError(Exception):
    """The router does not start; the message says why and where its log lies."""


class RouterHandle:
    """A running router."""

    def __init__(
        self, address: str, process: subprocess.Popen[bytes], folder: Path, stop_within_s: float
    ) -> None:
        self.address = address
        """host:port that answers gRPC."""
        self._process = process
        self._folder = folder
        self._stop_within_s = stop_within_s

    def is_running(self) -> bool:
        """Whether the process that holds the router together lives."""
        return self._process.poll() is None

    def exit_status(self) -> int | None:
        """0 where the router stopped as it was told to; None while it lives."""
        return self._process.poll()

    def processes(self) -> list[psutil.Process]:
        """Every living process of the router, Ray's and HAProxy's included."""
        # All are in the session that the first one leads, also those whose parents have died.
        return [process for process in psutil.process_iter() if _is_in_session(process, self._process.pid)]

    def pids(self) -> list[int]:
        """Process ids of `processes()`."""
        return [process.pid for process in self.processes()]

    def replica_pids(self) -> list[int]:
        """Process ids of the replicas."""
        return [process.pid for process in self.processes() if _name(process).startswith("ray::ServeRepl")]

    def stop(self) -> None:
        """Lets calls in progress finish, stops every process, and returns when none is left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(self._stop_within_s)
        except subprocess.TimeoutExpired:
            logger.warning("the router did not stop within %.0f s and is killed", self._stop_within_s)
        leftovers = self.processes()
        for process in leftovers:
            _kill(process)
        psutil.wait_procs(leftovers, timeout=10)
        self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)


def start_router(settings: RouterSettings) -> RouterHandle:
    """Starts Ray (or joins `ray.address`), deploys the replicas and returns when the address answers.

    Replicas count into `metrics.folder`; serving /metrics is the caller's (`router.metrics.serve_metrics`).

    The processes end with `stop()` or with the calling process. Their log is `router.log` in
    `request_log.folder`.

    Raises:
        RouterStartError: the address is taken, a replica cannot be built (a snapshot, the state, …), or the
            router is not ready within `ingress.start_timeout_s`; nothing is left running.
    """
    _, port = split_address(settings.ingress.address)
    for _ in range(_ATTEMPTS - 1 if port == 0 else 0):
        try:
            return _start(_completed(settings))
        except RouterStartError as error:
            # A port found free can be taken by another process before it is used; then another one is found.
            if not any(sign in str(error) for sign in _PORT_TAKEN):
                raise
            logger.warning("trying another port: %s", error)
    return _start(_completed(settings))


def _start(settings: RouterSettings) -> RouterHandle:
    _check_address(settings.ingress.address)
    log_path = settings.request_log.folder.absolute() / "router.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    # HAProxy's sockets lie two levels below and may have paths of at most 97 bytes.
    folder = Path(tempfile.mkdtemp(prefix="shopfront-", dir="/tmp"))
    deadline = time.monotonic() + settings.ingress.start_timeout_s
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "router.ingress.router_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        )
    stop_within_s = settings.ingress.deregister_s + settings.ingress.drain_s + _STOP_MARGIN_S
    handle = RouterHandle(settings.ingress.address, process, folder, stop_within_s)
    try:
        _send(process, Orders(settings.model_dump(mode="json"), str(folder)))
        report = _report(process, deadline)
        if report is None or report.error:
            why = report.error if report is not None else "it is not ready in time or died"
            raise RouterStartError(f"the router does not start: {why}; its log is {log_path}")
        _wait_until_serving(settings.ingress, deadline, log_path)
    except BaseException:
        handle.stop()
        raise
    return handle


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


def _environment() -> dict[str, str]:
    # Ray's and Serve's variables of another router must not leak into this one.
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_SERVE_")}


def _send(process: subprocess.Popen[bytes], orders: Orders) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(orders) + b"\n")
    process.stdin.flush()


def _report(process: subprocess.Popen[bytes], deadline: float) -> Report | None:
    """What the process reports; None where it dies or is silent until the deadline."""
    assert process.stdout is not None
    lines: list[bytes] = []

    def read(stream: IO[bytes]) -> None:
        lines.append(stream.readline())

    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()
    reader.join(max(0.0, deadline - time.monotonic()))
    if not lines or not lines[0]:
        return None
    return msgspec.json.decode(lines[0], type=Report)


def _wait_until_serving(ingress: IngressSettings, deadline: float, log_path: Path) -> None:
    while True:
        # We hold no certificate that callers must show: the replicas have said that they serve.
        last = _connect(ingress.address) if ingress.tls is not None else _check_health(ingress.address)
        if last is None:
            return
        if time.monotonic() > deadline:
            raise RouterStartError(
                f"{ingress.address} does not serve ({last}); the router's log is {log_path}"
            )
        time.sleep(0.05)


def _connect(address: str) -> str | None:
    """Why nothing accepts connections at the address; None where something does."""
    try:
        socket.create_connection(split_address(address), timeout=1.0).close()
    except OSError as error:
        return str(error)
    return None


def _check_health(address: str) -> str | None:
    """Why the router at the address does not serve; None where it does."""
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=1.0)
        except grpc.RpcError as error:
            # Who asks for tokens is up.
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return None
            return f"{error.code().name}: {error.details()}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def _is_in_session(process: psutil.Process, leader: int) -> bool:
    try:
        return os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(process: psutil.Process) -> None:
    try:
        logger.warning("killing %d (%s), left over by the router", process.pid, process.name())
        process.kill()
    except psutil.NoSuchProcess:
        return
