"""The groups of metrics of a router's process: each is declared beside the code that counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from foundation.telemetry.metrics.build_metrics import BuildMetrics
from foundation.telemetry.metrics.pipeline_metrics import PipelineMetrics
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.telemetry.metrics.queue_metrics import QueueMetrics
from learning.satisfaction.metrics import FeedbackMetrics
from registration.registry import Registry
from rollout.metrics import RolloutMetrics
from router.engine.share_metrics import ShareMetrics
from router.engine.snapshot_metrics import SnapshotMetrics
from router.events.event_metrics import EventMetrics
from router.feature_log.metrics import FeatureLogMetrics
from router.page.exposure_plan_metrics import ExposurePlanMetrics
from router.ranking.circuit_metrics import CircuitMetrics
from router.service.admission_metrics import AdmissionMetrics
from router.service.exposure_metrics import ExposureMetrics
from server.connection_metrics import ConnectionMetrics
from server.recording.recording_metrics import RecordingMetrics
from server.request_metrics import RequestMetrics
from state.metrics import StateMetrics
from vision.metrics import PhotoSearchMetrics, PutPicturesMetrics


def _fault(name: str, group: object, groups: Mapping[str, object]) -> str | None:
    return (
        None if callable(group) else f"is a {type(group).__name__}; it must be a function of ProcessMetrics"
    )


METRIC_GROUPS: Registry[Callable[[ProcessMetrics], Any]] = Registry(
    "metric group",
    "METRIC_GROUPS",
    {
        "requests": RequestMetrics,
        "pipelines": PipelineMetrics,
        "admission": AdmissionMetrics,
        "exposures": ExposureMetrics,
        "exposure_plans": ExposurePlanMetrics,
        "circuits": CircuitMetrics,
        "state": StateMetrics,
        "recording": RecordingMetrics,
        "events": EventMetrics,
        "feedback": FeedbackMetrics,
        "photo_search": PhotoSearchMetrics,
        "put_pictures": PutPicturesMetrics,
        "feature_log": FeatureLogMetrics,
        "shares": ShareMetrics,
        "snapshots": SnapshotMetrics,
        "build": BuildMetrics,
        "queues": QueueMetrics,
        "connections": ConnectionMetrics,
        "rollouts": RolloutMetrics,
    },
    _fault,
)
"""Groups by name; a plug-in's module registers its own in a dictionary `METRIC_GROUPS`."""


def open_groups(metrics: ProcessMetrics) -> ProcessMetrics:
    """Opens every group, so that each metric is shown from the start; returns `metrics`."""
    for group in METRIC_GROUPS.values():
        metrics.group(group)
    return metrics
