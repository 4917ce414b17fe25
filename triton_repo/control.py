"""Loading and publishing model versions on a running server."""

import time
from types import TracebackType

import grpc
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from triton_repo.errors import ModelLoadError
from triton_repo.failure import load_failure
from triton_repo.repository import ModelRepository

# A connection of our own, found again soon: channels otherwise share gRPC's long pauses after a failure.
_CHANNEL = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]


class TritonControl:
    """Model control of the server at `url` ("host:port" of its gRPC), for offline jobs and operators.

    Every call waits at most `timeout_s` seconds and raises ModelLoadError, in one line, where the server
    is down or refuses.
    """

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        """Connects at the first call."""
        self.url = url
        self.timeout_s = timeout_s
        self._client = InferenceServerClient(url, channel_args=_CHANNEL)

    def __enter__(self) -> "TritonControl":
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connection."""
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def load(self, model: str) -> None:
        """Loads what the repository holds of a model: its two newest versions, or those pinned.

        Returns when they are ready. Versions that were ready before stay so, and requests in flight are
        answered, also where this load fails.
        """
        try:
            self._client.load_model(model, client_timeout=self.timeout_s)
        except InferenceServerException as error:
            raise ModelLoadError(f"Triton at {self.url} did not load {model}: {_reason(error)}") from error

    def unload(self, model: str) -> None:
        """Unloads every version of a model; requests in flight are answered first."""
        try:
            self._client.unload_model(model, client_timeout=self.timeout_s)
        except InferenceServerException as error:
            raise ModelLoadError(f"Triton at {self.url} did not unload {model}: {_reason(error)}") from error

    def reload(self, model: str) -> None:
        """Unloads a model and loads it again, with fresh processes; it does not answer meanwhile."""
        self.unload(model)
        self.load(model)

    def ready_versions(self, model: str) -> list[int]:
        """Versions of a model that answer requests now, ascending."""
        try:
            index = self._client.get_model_repository_index(client_timeout=self.timeout_s)
        except InferenceServerException as error:
            raise ModelLoadError(f"Triton at {self.url} does not answer: {_reason(error)}") from error
        return sorted(
            int(entry.version) for entry in index.models if entry.name == model and entry.state == "READY"
        )

    def wait_version(self, model: str, version: int) -> None:
        """Returns when a version is ready; ModelLoadError after `timeout_s` seconds."""
        deadline = time.monotonic() + self.timeout_s
        while version not in (ready := self.ready_versions(model)):
            if time.monotonic() > deadline:
                raise ModelLoadError(
                    f"Triton at {self.url}: {model} version {version} is not ready, {ready or 'none'} is"
                )
            time.sleep(0.05)


def reload_version(control: TritonControl, repository: ModelRepository, model: str, version: int) -> None:
    """Loads one version anew, with fresh processes, while the other ready ones go on answering.

    Where it is the only one, the model does not answer meanwhile. Raises ModelLoadError.
    """
    others = [other for other in control.ready_versions(model) if other != version]
    if not others:
        control.reload(model)
        return
    # Triton starts no process again for a version it takes for ready: it must leave and come back.
    repository.load_only(model, tuple(others))
    try:
        control.load(model)
    finally:
        repository.load_usual(model)
    control.load(model)


def publish_version(control: TritonControl, repository: ModelRepository, model: str, version: int) -> None:
    """Makes the running server serve a version that was added to its repository.

    The version before it keeps serving too. Where the server cannot load the new one, it is moved to
    `refused/`, the server is left serving what it served, and ModelLoadError says why.
    """
    pinned = repository.pinned(model)
    if pinned is not None and version not in pinned.versions:
        repository.pin(model, pinned.with_version(version))
    try:
        control.load(model)
        control.wait_version(model, version)
    except ModelLoadError as error:
        refused = repository.refuse(model, version)
        if pinned is not None:
            repository.pin(model, pinned)
        raise ModelLoadError(f"{error}; version {version} was moved to {refused}") from error


def _reason(error: InferenceServerException) -> str:
    if error.status() == str(grpc.StatusCode.UNAVAILABLE):
        return "it is not running or not reachable"
    if error.status() == str(grpc.StatusCode.DEADLINE_EXCEEDED):
        return "it took too long"
    return load_failure(str(error.message()))
