"""How many callers' connections are open, and how many were closed or refused for want of room."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class ConnectionMetrics:
    """Of one process that accepts connections: a replica of kind grpc, or the router's for its HAProxy."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._open = metrics.gauge(
            "connections_open", "Connections of callers, all processes together.", "livesum"
        )
        self._ended = metrics.counts(
            "connections_ended",
            "Connections that ended for want of room: refused (new) or evicted (idle, for a new one).",
            "reason",
        )
        for reason in ("refused", "evicted"):
            self._ended[reason,].inc(0)

    def open(self, count: int) -> None:
        """Sets how many are open."""
        self._open.set(count)

    def evicted(self, count: int) -> None:
        """Counts idle connections that were closed to make room."""
        self._ended["evicted",].inc(count)

    def refused(self, count: int) -> None:
        """Counts new connections that were refused."""
        self._ended["refused",].inc(count)
