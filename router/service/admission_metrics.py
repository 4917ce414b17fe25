"""The metrics of admission and load."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class AdmissionMetrics:
    """Calls admitted and refused, load of the event loop, and quality factors."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.admission = metrics.counts(
            "admission",
            "Calls by admission: admitted; refused: concurrency limit (concurrency) or too little time left "
            "(deadline).",
            "outcome",
        )
        self.loop_utilisation = metrics.gauge(
            "loop_utilisation",
            "Part of its time in which an event loop is busy, 0 to 1; the highest of all processes.",
            "livemax",
        )
        self.call_cost = metrics.gauge(
            "call_cost_seconds",
            "Seconds of the event loop that a call takes; the highest of all processes.",
            "livemax",
        )
        self.quality_factor = metrics.gauge(
            "quality_factor",
            "Part of their width that requests are given, one of a few steps from 0 to 1; the lowest of all.",
            "livemin",
            "scene",
        )
