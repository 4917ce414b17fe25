"""The metrics of a feed."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class EnvironmentMetrics:
    """Looks at the feed, what was left out of it, its age, and the alerts in force."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.looks = metrics.counts(
            "environment_looks",
            "Looks at the feed of weather by outcome: taken, unchanged, failed.",
            "outcome",
        )
        self.drops = metrics.counts(
            "environment_drops", "Readings, and measures of them, that were left out, by reason.", "reason"
        )
        self.age = metrics.gauge(
            "environment_age_seconds", "Seconds since the newest reading of any city.", "livemin"
        )
        self.alerts = metrics.gauge(
            "environment_alerts", "Cities in which an alert is in force, by alert.", "livemax", "alert"
        )
