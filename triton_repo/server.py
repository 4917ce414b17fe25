"""The embedded Triton server: start, readiness, stop."""

import logging
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from triton_repo.bound_process import reap, session_of, start_bound, stop_session
from triton_repo.errors import RepositoryError, TritonStartError
from triton_repo.failure import start_failure
from triton_repo.installation import Installation
from triton_repo.model_processes import ModelProcess, model_processes, remove_shared_memory
from triton_repo.repository import ModelRepository
from triton_repo.settings import ModelSettings, TritonSettings

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_LARGEST_LOG = 32 * 1024 * 1024
_POLL_S = 0.05
_RECONNECT_MS = int(_POLL_S * 1000)
# A server that is starting refuses connections: ask again soon, not after gRPC's usual second.
_IMPATIENT = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS),
    ("grpc.min_reconnect_backoff_ms", _RECONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS),
]


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one server on 127.0.0.1; None: it does not listen there."""

    grpc: int
    http: int | None
    metrics: int | None


def _endpoint(name: str, port: int | None) -> tuple[str, ...]:
    """Options of an endpoint that is not needed."""
    if port is None:
        return (f"--allow-{name}=false",)
    return f"--{name}-address={_HOST}", f"--{name}-port={port}"


class TritonServer:
    """One Triton process serving a repository, under explicit model control, on 127.0.0.1 only.

    A port of 0 in the settings is chosen once, at the first start, and kept over restarts, so that
    clients find the server again. The process dies with this one, however this one dies. Every start loads
    the models of the settings and those that the repository says are served by then.
    """

    def __init__(self, repository: ModelRepository, log_file: Path, settings: TritonSettings) -> None:
        """Starts nothing; the log is appended to `log_file`."""
        self.repository = repository
        self.log_file = log_file.absolute()
        self.settings = settings
        self.models: Mapping[str, ModelSettings] = settings.models
        """The models that a start loads, as of the last one, and how they are run."""
        self._ports: Ports | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._id = ""
        self._log_start = 0
        self._regions: set[Path] = set()

    @property
    def pid(self) -> int | None:
        """Process id of the server, None while there is none."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process lives; it may not be ready yet."""
        return self._process is not None and self._process.poll() is None

    @property
    def ports(self) -> Ports:
        """The ports of the last start; TritonStartError before the first."""
        if self._ports is None:
            raise TritonStartError("the server has not been started, so it has no ports yet")
        return self._ports

    @property
    def grpc_url(self) -> str:
        """`host:port` for a gRPC client."""
        return f"{_HOST}:{self.ports.grpc}"

    def start(self) -> None:
        """Starts the server and waits until every model of the settings, and every one served, is ready.

        Versions that do not match their checksums are moved to `refused/` first, so that the ones
        before them serve. Raises TritonStartError, in one line, and leaves no process behind.
        """
        if self.running:
            raise TritonStartError(f"the server already runs as process {self.pid}")
        # Model processes of a server that died need a moment to notice; the new one need not wait for them.
        orphans = session_of(self._process) if self._process else []
        regions = self._regions | {process.region for process in model_processes(orphans)}
        installation = Installation.find()
        self._prepare_models()
        backends = installation.assemble_backends(self.repository.root / "backends")
        chosen = self._choose_ports()
        self._id = f"shopfront-{os.getpid()}-{time.monotonic_ns()}"
        self._open_log()
        self._process = start_bound(
            self._command(installation, backends, chosen),
            environment=installation.environment(),
            folder=backends,
            log_file=self.log_file,
        )
        self._ports = chosen
        try:
            self.wait_ready(self.settings.start_timeout_s)
        except BaseException:
            self.stop()
            raise
        finally:
            reap(orphans)
            remove_shared_memory(regions)
        self._regions = {process.region for process in self.model_processes()}

    def wait_ready(self, timeout_s: float) -> None:
        """Returns when the server answers and every model is ready.

        Raises TritonStartError with the reason where the process ends first or `timeout_s` passes.
        """
        deadline = time.monotonic() + timeout_s
        with InferenceServerClient(self.grpc_url, channel_args=_IMPATIENT) as client:
            while not self._is_ready(client):
                process = self._process
                returncode = process.poll() if process else None
                if process is None or returncode is not None or time.monotonic() > deadline:
                    reason = start_failure(self.recent_log(), returncode)
                    raise TritonStartError(f"Triton did not start: {reason} (log: {self.log_file})")
                time.sleep(_POLL_S)

    def stop(self) -> None:
        """Ends the server and its model processes; SIGKILL where SIGTERM was not enough. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            regions = self._regions | {model.region for model in model_processes(session_of(process))}
            stop_session(process, self.settings.stop_timeout_s)
            remove_shared_memory(regions)

    def model_processes(self) -> list[ModelProcess]:
        """The live processes that run models; none where there is no server."""
        return model_processes(session_of(self._process)) if self._process else []

    def kill(self) -> None:
        """Ends a server that no longer answers, at once; `exit_status` reports it as any other end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def exit_status(self) -> int | None:
        """Exit status of a server that died by itself, None while it runs or where it was stopped."""
        return self._process.poll() if self._process else None

    def recent_log(self) -> str:
        """What the server has written since its last start."""
        if not self.log_file.is_file():
            return ""
        with self.log_file.open("rb") as stream:
            stream.seek(self._log_start)
            return stream.read().decode(errors="replace")

    def _prepare_models(self) -> None:
        served = self._served_models()
        self.models = {**{model: self.settings.of_model(model) for model in served}, **self.settings.models}
        for model, version in served.items():
            self.repository.require(model, version)
        self.repository.configure(self.models)
        for model in self.models:
            for version, reason in self.repository.refuse_corrupt(model).items():
                _LOG.error("model %s version %d refused: %s", model, version, reason)
            if not self.repository.versions(model):
                raise TritonStartError(
                    f"model {model} has no usable version in {self.repository.models_folder / model};"
                    " train and export it first"
                )
            for version in self.repository.lacking(model, served.get(model)):
                _LOG.error(
                    "model %s version %d is to serve and is not there: requests that need it go without the"
                    " model; put %s back and start again, or roll another version out (there: %s)",
                    model,
                    version,
                    self.repository.version_folder(model, version),
                    ", ".join(map(str, self.repository.versions(model))),
                )

    def _served_models(self) -> Mapping[str, int]:
        try:
            return self.repository.served()
        except RepositoryError as error:
            _LOG.warning("only the configured models are loaded: %s", error)
            return {}

    def _choose_ports(self) -> Ports:
        if self._ports is not None:
            return self._ports
        wanted = Ports(self.settings.grpc_port, self.settings.http_port, self.settings.metrics_port)
        held: list[socket.socket] = []
        try:
            for name in ("grpc", "http", "metrics"):
                if getattr(wanted, name) is None:
                    continue
                listener = socket.socket()
                held.append(listener)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    listener.bind((_HOST, getattr(wanted, name)))
                except OSError as error:
                    raise TritonStartError(
                        f"Triton did not start: its {name} port {getattr(wanted, name)} of {_HOST} cannot be"
                        f" taken ({error.strerror}); stop what holds it or configure another"
                    ) from error
                wanted = replace(wanted, **{name: listener.getsockname()[1]})
        finally:
            for listener in held:
                listener.close()
        return wanted

    def _command(self, installation: Installation, backends: Path, ports: Ports) -> list[str]:
        return [
            str(installation.server),
            f"--id={self._id}",
            # Relative to `backends`, in which the server runs: its Python backend passes paths to a shell
            # without quotes, and the folder of the workspace may have a blank in its name.
            f"--model-repository={os.path.relpath(self.repository.models_folder, backends)}",
            "--backend-directory=.",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in self.models),
            "--disable-auto-complete-config",
            f"--grpc-address={_HOST}",
            f"--grpc-port={ports.grpc}",
            # Nobody knows the key: who reaches the port must not register memory of other processes.
            f"--grpc-restricted-protocol=shared-memory:{secrets.token_hex(8)}={secrets.token_hex(16)}",
            *_endpoint("http", ports.http),
            *_endpoint("metrics", ports.metrics),
            "--log-format=ISO8601",
            f"--log-verbose={self.settings.log_verbosity}",
            *self._trace_options(),
            # Requests still running after this many seconds are dropped at shutdown.
            f"--exit-timeout-secs={max(1, int(self.settings.stop_timeout_s / 2))}",
        ]

    def _trace_options(self) -> list[str]:
        if not self.settings.traces_url:
            return []
        # Of rate 0, Triton reports the requests that come with a trace, and no others: the router samples.
        return [
            "--trace-config=mode=opentelemetry",
            "--trace-config=level=TIMESTAMPS",
            "--trace-config=rate=0",
            f"--trace-config=opentelemetry,url={self.settings.traces_url}",
        ]

    def _open_log(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.is_file() and self.log_file.stat().st_size > _LARGEST_LOG:
            self.log_file.replace(self.log_file.with_suffix(f"{self.log_file.suffix}.1"))
        self._log_start = self.log_file.stat().st_size if self.log_file.is_file() else 0

    def _is_ready(self, client: InferenceServerClient) -> bool:
        try:
            # Another server may hold the port: only the one with our id counts.
            own = client.get_server_metadata(client_timeout=1.0).name == self._id
            # The other endpoints, where they are asked for, are opened after gRPC.
            return own and bool(client.is_server_ready(client_timeout=1.0)) and self._others_listen()
        except InferenceServerException:
            return False

    def _others_listen(self) -> bool:
        ports = (self.ports.http, self.ports.metrics)
        return all(_listens(port) for port in ports if port is not None)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True
