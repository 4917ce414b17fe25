"""What is counted of the feature log."""

from __future__ import annotations

from prometheus_client import Counter

from foundation.telemetry.metrics.registry import Counts, RouterMetrics


class FeatureLogMetrics:
    """Metrics of one process, among the router's. One per `RouterMetrics`."""

    def __init__(self, metrics: RouterMetrics) -> None:
        """Adds them to the registry of `metrics`."""
        self._answers = Counts(
            Counter(
                "shopfront_feature_log_answers",
                "Answers for the feature log: written, dropped (the disk was behind), too_large (for a "
                "file), failed.",
                ["outcome"],
                registry=metrics.registry,
            )
        )

    def count(self, outcome: str) -> None:
        """Counts one answer."""
        self._answers[outcome,].inc()
