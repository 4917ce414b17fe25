"""The metric of the feature log."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class FeatureLogMetrics:
    """Answers for the feature log, by outcome."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metric."""
        self._answers = metrics.counts(
            "feature_log_answers",
            "Answers for the feature log: written, dropped (the disk was behind), too_large (for a file), "
            "failed.",
            "outcome",
        )

    def count(self, outcome: str) -> None:
        """Counts one answer."""
        self._answers[outcome,].inc()
