"""The metric of recorded requests."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class RecordingMetrics:
    """Requests chosen for the recording, by outcome."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metric."""
        self.recorded = metrics.counts(
            "recorded_requests",
            "Requests chosen for the recording: written, dropped (the disk was behind), full (max_bytes "
            "reached), too_large (for a file), failed.",
            "outcome",
        )

    def observe(self, outcome: str) -> None:
        """Counts one request."""
        self.recorded[outcome,].inc()
