"""Prometheus metrics of all router processes behind one /metrics."""

from router.metrics.endpoint import MetricsServer, prepare_folder, serve_metrics
from router.metrics.registry import RouterMetrics, open_metrics
from router.metrics.settings import MetricsSettings
from router.metrics.stage_metrics import PrometheusStageMetrics
from router.metrics.state_metrics import StateMetrics

__all__ = [
    "MetricsServer",
    "MetricsSettings",
    "PrometheusStageMetrics",
    "RouterMetrics",
    "StateMetrics",
    "open_metrics",
    "prepare_folder",
    "serve_metrics",
]
