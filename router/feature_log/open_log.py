"""Puts a process's feature log together from settings."""

from __future__ import annotations

from collections.abc import Callable

from foundation.telemetry.metrics.registry import RouterMetrics
from router.feature_log.feature_log import FeatureLog
from router.feature_log.log_folder import FeatureLogFolder
from router.feature_log.metrics import FeatureLogMetrics
from router.feature_log.settings import FeatureLogSettings


def open_feature_log(
    settings: FeatureLogSettings, metrics: RouterMetrics, pseudonym: Callable[[str], str]
) -> FeatureLog:
    """The feature log; it writes nothing until a scene that switches it on answers."""
    return FeatureLog(settings, FeatureLogFolder(settings), pseudonym, FeatureLogMetrics(metrics).count)
