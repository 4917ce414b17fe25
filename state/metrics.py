"""The metrics of the state store."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.telemetry.metrics.queue_metrics import QueueMetrics
from state.store import StoreStatus


class StateMetrics:
    """Turns the status of this process's store into metrics; to be called about once a second."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._dropped = metrics.counter(
            "served_items_dropped", "Served items not noted in the user's impressions."
        )
        self._repeated = metrics.counter(
            "events_repeated", "Reported events whose event_id was stored before."
        )
        self._failed_reads = metrics.counter(
            "state_reads_failed", "Reads of user state that the store did not answer in time."
        )
        self._available = metrics.gauge(
            "state_available",
            "1 where the state store answered last, 0 where it did not; the lowest of all processes.",
            "livemin",
        )
        self._commits = metrics.counter("state_commits", "Transactions that stored events or impressions.")
        self._queues = metrics.group(QueueMetrics)
        self._last = StoreStatus(0, 0, 0, 0, 0)

    def observe(self, status: StoreStatus) -> None:
        """Sets availability and queue depths, and counts what was added since the last call."""
        last = self._last
        self._queues.set_depth("state_events", status.queued_events)
        self._queues.set_depth("state_impressions", status.queued_impressions)
        self._dropped.inc(status.dropped_impressions - last.dropped_impressions)
        self._repeated.inc(status.repeated_events - last.repeated_events)
        self._commits.inc(status.write_groups - last.write_groups)
        self._failed_reads.inc(status.failed_reads - last.failed_reads)
        self._available.set(int(status.available))
        self._last = status
