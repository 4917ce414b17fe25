"""The metrics of requests, the same behind every ingress."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics

REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram of whole requests, seconds."""


class RequestMetrics:
    """Requests by method, scene and gRPC status, and the model versions that scored them."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.requests = metrics.counts("requests", "Requests by gRPC status.", "method", "scene", "code")
        self.request_seconds = metrics.timings(
            "request_seconds", "Seconds from arrival to answer.", REQUEST_BUCKETS, "method", "scene"
        )
        self.model_answers = metrics.counts(
            "model_answers",
            "Answers by the model version that scored their items; both empty where none did.",
            "scene",
            "model",
            "version",
        )

    def observe(self, method: str, scene: str, code: str, seconds: float) -> None:
        """Counts one answer; `scene` is "" where it is not a configured one, `code` a gRPC name."""
        self.requests[method, scene, code].inc()
        self.request_seconds[method, scene].observe(seconds)
