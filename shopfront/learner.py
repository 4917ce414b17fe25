"""The learner of a workspace: run in this process, or as one that is watched beside the router."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foundation.telemetry.metrics.process_metrics import ProcessMetrics, open_metrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.stream.shop_facts import ShopFacts
from server.settings import RouterSettings
from shopfront.watched_process import ProcessStartError, WatchedProcess
from state.attribution import AttributionCodec
from state.registry import open_state

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
            settings.feature_log.folder,
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
    watch = WatchedProcess(
        "learner",
        [sys.executable, "-m", "shopfront", "learn", *arguments],
        os.environ,
        logs / "learner.log",
        report,
        stops_within_s=_STOPS_WITHIN_S,
    )
    try:
        watch.start()
    except ProcessStartError as error:
        report(f"Nothing is learned: {error}")
        yield
        return
    try:
        yield
    finally:
        watch.stop()
