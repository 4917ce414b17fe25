"""Counts what the state store tells of itself."""

from foundation.telemetry.metrics.registry import RouterMetrics
from state.store import StoreStatus


class StateMetrics:
    """Turns the status of this process's store into metrics; to be called about once a second."""

    def __init__(self, metrics: RouterMetrics) -> None:
        self._metrics = metrics
        self._last = StoreStatus(0, 0, 0, 0, 0)

    def observe(self, status: StoreStatus) -> None:
        """Sets availability and queue depths, and counts what was added since the last call."""
        metrics, last = self._metrics, self._last
        metrics.set_queue_depth("state_events", status.queued_events)
        metrics.set_queue_depth("state_impressions", status.queued_impressions)
        metrics.served_items_dropped.inc(status.dropped_impressions - last.dropped_impressions)
        metrics.events_repeated.inc(status.repeated_events - last.repeated_events)
        metrics.state_commits.inc(status.write_groups - last.write_groups)
        metrics.state_reads_failed.inc(status.failed_reads - last.failed_reads)
        metrics.state_available.set(int(status.available))
        self._last = status
