"""Restarting a server that died."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from triton_repo.errors import TritonStartError
from triton_repo.server import TritonServer

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """What the watcher saw or did.

    `died`: the server ended by itself; `restarted`: it serves again; `failed`: a restart did not succeed
    and another follows after a pause. `detail` is one line, `attempt` counts restarts since it last lived
    long enough.
    """

    kind: Literal["died", "restarted", "failed"]
    detail: str
    attempt: int


class TritonWatcher:
    """A thread that restarts a server whenever it dies, after pauses that double up to a limit.

    The pause starts over once a restarted server has lived for `steady_after_s`. `report` is called from
    the watcher's thread.
    """

    def __init__(self, server: TritonServer, report: Callable[[WatchEvent], None]) -> None:
        self.server = server
        self._report = report
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="triton-watcher", daemon=True)

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
        attempt, alive_since = 0, time.monotonic()
        while not self._stopping.wait(0.1):
            status = self.server.exit_status()
            if status is None:
                continue
            if time.monotonic() - alive_since > self.server.settings.steady_after_s:
                attempt = 0
            self._say(WatchEvent("died", f"Triton ended with {_ending(status)}", attempt))
            attempt = self._restart(attempt)
            alive_since = time.monotonic()

    def _restart(self, attempt: int) -> int:
        """Tries until the server serves or the watch ends; returns the number of attempts so far."""
        settings = self.server.settings
        while not self._stopping.wait(_pause(attempt, settings.restart_initial_s, settings.restart_max_s)):
            attempt += 1
            try:
                self.server.start()
            except TritonStartError as error:
                self._say(WatchEvent("failed", str(error), attempt))
                continue
            self._say(WatchEvent("restarted", f"Triton runs again as process {self.server.pid}", attempt))
            break
        return attempt

    def _say(self, event: WatchEvent) -> None:
        try:
            self._report(event)
        except Exception:
            _LOG.exception("the watcher's report callback failed on %s", event)


def _pause(attempt: int, initial_s: float, max_s: float) -> float:
    return float(min(max_s, initial_s * 2 ** min(attempt, 30)))


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
