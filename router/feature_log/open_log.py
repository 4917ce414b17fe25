"""Opens a process's feature log from settings."""

from __future__ import annotations

from collections.abc import Callable

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from router.feature_log.feature_log import FeatureLog
from router.feature_log.metrics import FeatureLogMetrics
from state.feature_log.log_folder import FeatureLogFolder
from state.feature_log.settings import FeatureLogSettings


def open_feature_log(
    settings: FeatureLogSettings, metrics: ProcessMetrics, pseudonym: Callable[[str], str]
) -> FeatureLog:
    """The feature log; it writes nothing until a scene that switches it on answers."""
    return FeatureLog(settings, FeatureLogFolder(settings), pseudonym, metrics.group(FeatureLogMetrics).count)
