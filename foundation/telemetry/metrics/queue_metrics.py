"""How full the queues of the processes are."""

from __future__ import annotations

from prometheus_client import Gauge

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class QueueMetrics:
    """Depth and limit of each queue, by its name, for example `state_events`."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._limit = metrics.gauge(
            "queue_limit",
            "Most work a queue takes, all processes together; what exceeds it is refused or dropped.",
            "livesum",
            "queue",
        )
        self._depth = metrics.gauge(
            "queue_depth", "Work waiting, all processes together.", "livesum", "queue"
        )
        self._children: dict[str, Gauge] = {}

    def set_depth(self, queue: str, depth: int) -> None:
        """Sets how much waits in a queue of this process."""
        child = self._children.get(queue)
        if child is None:
            child = self._children[queue] = self._depth.labels(queue)
        child.set(depth)

    def set_limit(self, queue: str, limit: int) -> None:
        """Sets how much a queue of this process takes."""
        self._limit.labels(queue).set(limit)
