"""The learner of a workspace in this process."""

from __future__ import annotations

import threading
from pathlib import Path

from foundation.telemetry.metrics.process_metrics import ProcessMetrics, open_metrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.stream.shop_facts import ShopFacts
from server.settings import RouterSettings
from state.attribution import AttributionCodec
from state.registry import open_state


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
