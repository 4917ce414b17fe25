"""A plug-in that declares a group of metrics."""

from __future__ import annotations

from foundation.telemetry.metrics import ProcessMetrics


class VisitMetrics:
    """Visits by page."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        self.visits = metrics.counts("visits", "Visits by page.", "page")
        self.waiting = metrics.gauge("visits_waiting", "Visitors who wait.", "livesum")


METRIC_GROUPS = {"visits": VisitMetrics}
