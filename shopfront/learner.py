"""The learner of a workspace: run in this process, or as one that is watched beside the router."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foundation.telemetry.metrics.process_metrics import ProcessMetrics, open_metrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.stream.shop_facts import ShopFacts
from server.settings import RouterSettings
from state.attribution import AttributionCodec
from state.registry import open_state
from triton_repo.bound_process import start_bound, stop_session

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0
_STOPS_WITHIN_S = 20.0


def learn(settings: RouterSettings, stop: threading.Event) -> None:
    """Learns until `stop` is set.

    Raises:
        LearnerBusy: another learner has the folder.
        SnapshotError, SettingsError, StorageError, OSError: what it needs cannot be opened.
    """
    metrics = open_metrics(Path(settings.metrics.folder)) if settings.metrics.enabled else ProcessMetrics()
    facts = ShopFacts(Path(settings.snapshots.folder), settings.scenes)
    store = open_state(settings.state)
    try:
        learner = Learner(
            settings.learning,
            store,
            settings.state.url,
            AttributionCodec.from_settings(settings.attribution),
            facts,
            metrics.group(LearnerMetrics),
        )
        try:
            learner.run(stop)
        finally:
            learner.close()
    finally:
        store.close()


@contextmanager
def watched_learner(
    arguments: Sequence[str], logs: Path, report: Callable[[str], None], *, wanted: bool = True
) -> Iterator[None]:
    """Runs `shopfront learn` while the body runs, started anew whenever it ends.

    Args:
        arguments: of the command.
        logs: folder for learner.log.
        report: receives a line, from another thread, when it has ended and when it cannot be started.
        wanted: False: nothing is started.
    """
    if not wanted:
        yield
        return
    watch = _Watch([sys.executable, "-m", "shopfront", "learn", *arguments], logs / "learner.log", report)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


class _Watch:
    """A thread that keeps a process running; pauses between starts double up to a limit."""

    def __init__(self, command: Sequence[str], log_file: Path, report: Callable[[str], None]) -> None:
        self._command = command
        self._log_file = log_file
        self._report = report
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="learner-watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            status = self._run()
            if self._stopping.is_set():
                return
            pause_s = (
                _FIRST_PAUSE_S if time.monotonic() - began > _STEADY_S else min(2 * pause_s, _LONGEST_PAUSE_S)
            )
            self._report(
                f"the learner has ended ({status}) and is started anew in {pause_s:g} s; its log is "
                f"{self._log_file}"
            )
            self._stopping.wait(pause_s)

    def _run(self) -> str:
        """Why the process ended."""
        try:
            process = start_bound(
                self._command, environment=os.environ, folder=Path.cwd(), log_file=self._log_file
            )
        except OSError as error:
            return str(error)
        while process.poll() is None and not self._stopping.wait(0.2):
            pass
        stop_session(process, _STOPS_WITHIN_S)
        code = process.returncode
        return f"signal {-code}" if code < 0 else f"status {code}"
