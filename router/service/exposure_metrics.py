"""The metric of experiments' exposures."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class ExposureMetrics:
    """Exposures by experiment and arm."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metric."""
        self.exposures = metrics.counts(
            "exposures", "Answers made by an arm of an experiment, and logged.", "experiment", "arm"
        )

    def observe(self, experiment: str, arm: str) -> None:
        """Counts one logged exposure."""
        self.exposures[experiment, arm].inc()
