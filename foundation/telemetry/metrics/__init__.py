"""Prometheus metrics of all router processes behind one /metrics."""

from foundation.telemetry.metrics.endpoint import MetricsServer, prepare_folder, serve_metrics
from foundation.telemetry.metrics.process_metrics import ProcessMetrics, open_metrics
from foundation.telemetry.metrics.settings import MetricsSettings
from foundation.telemetry.metrics.stage_metrics import PrometheusStageMetrics

__all__ = [
    "MetricsServer",
    "MetricsSettings",
    "ProcessMetrics",
    "PrometheusStageMetrics",
    "open_metrics",
    "prepare_folder",
    "serve_metrics",
]
