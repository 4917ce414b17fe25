"""Restarting a server that died or hangs, and models whose processes died."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from triton_repo.control import TritonControl, reload_version
from triton_repo.errors import ModelLoadError, RepositoryError, TritonStartError
from triton_repo.health import Problem, find_problem
from triton_repo.server import TritonServer

_LOG = logging.getLogger(__name__)


Kind = Literal["died", "restarted", "failed", "reloaded", "lost"]


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """What the watcher saw or did.

    `died`: the server ended, by itself or because it no longer answered; `restarted`: it serves again;
    `failed`: a restart did not succeed and another follows after a pause; `reloaded`: a model whose process
    died serves again; `lost`: a version whose process died cannot be loaded again, while others of its model
    serve. `detail` is one line, `attempt` counts restarts since it last lived long enough.
    """

    kind: Kind
    detail: str
    attempt: int


class TritonWatcher:
    """A thread that restarts a server whenever it dies, after pauses that double up to a limit.

    The pause starts over once a restarted server has lived for `steady_after_s`. A server that does not
    answer several times in a row is killed and restarted; a model whose process died is reloaded. `report`
    is called from the watcher's thread.
    """

    def __init__(self, server: TritonServer, report: Callable[[WatchEvent], None]) -> None:
        """Watches nothing until it is started."""
        self.server = server
        self._report = report
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="triton-watcher", daemon=True)
        self._attempt = 0
        self._alive_since = time.monotonic()
        self._bad_looks = 0

    def start(self) -> None:
        """Begins to watch a server that has been started."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch and stops the server, also one that is just being restarted."""
        self._stopping.set()
        while self._thread.is_alive():
            # A start under way fails once its process is stopped, which may not exist yet.
            self.server.stop()
            self._thread.join(0.1)
        self.server.stop()

    def _watch(self) -> None:
        settings = self.server.settings
        next_look = time.monotonic() + settings.health_interval_s
        while not self._stopping.wait(0.1):
            status = self.server.exit_status()
            if status is not None:
                self._restart(f"Triton ended with {_ending(status)}")
            elif time.monotonic() > next_look:
                self._look()
                next_look = time.monotonic() + settings.health_interval_s

    def _restart(self, reason: str) -> None:
        """Tries until the server serves or the watch ends."""
        settings = self.server.settings
        if time.monotonic() - self._alive_since > settings.steady_after_s:
            self._attempt = 0
        self._say("died", reason)
        while not self._stopping.wait(
            _pause(self._attempt, settings.restart_initial_s, settings.restart_max_s)
        ):
            self._attempt += 1
            try:
                self.server.start()
            except TritonStartError as error:
                self._say("failed", str(error))
                continue
            self._say("restarted", f"Triton runs again as process {self.server.pid}")
            break
        self._alive_since = time.monotonic()
        self._bad_looks = 0

    def _look(self) -> None:
        with TritonControl(self.server.grpc_url, self.server.settings.health_timeout_s) as control:
            problem = find_problem(self.server, control)
        # One bad look is not enough: a version may be on its way in or out.
        self._bad_looks = self._bad_looks + 1 if problem else 0
        if problem is None or self._bad_looks < self.server.settings.health_failures:
            return
        self._bad_looks = 0
        if not problem.model or not self._dealt_with(problem):
            self.server.kill()
            self._restart(f"Triton was killed: {problem.detail}")

    def _dealt_with(self, problem: Problem) -> bool:
        """Whether the model serves again, or still does by other versions: then the server lives on."""
        for process in self.server.model_processes():
            if process.is_stopped():
                process.kill()
        with TritonControl(self.server.grpc_url, self.server.settings.load_timeout_s) as control:
            try:
                reload_version(control, self.server.repository, problem.model, problem.version)
            except (ModelLoadError, RepositoryError) as error:
                detail = f"{problem.detail} and could not be loaded again: {error}"
                if not self._serves_otherwise(control, problem):
                    _LOG.warning(detail)
                    return False
                self._say("lost", detail)
                return True
        self._say("reloaded", f"{problem.detail}; it was loaded again")
        return True

    def _serves_otherwise(self, control: TritonControl, problem: Problem) -> bool:
        try:
            return any(version != problem.version for version in control.ready_versions(problem.model))
        except ModelLoadError:
            return False

    def _say(self, kind: Kind, detail: str) -> None:
        event = WatchEvent(kind, detail, self._attempt)
        try:
            self._report(event)
        except Exception:
            _LOG.exception("the watcher's report callback failed on %s", event)


def _pause(attempt: int, initial_s: float, max_s: float) -> float:
    return float(min(max_s, initial_s * 2 ** min(attempt, 30)))


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
