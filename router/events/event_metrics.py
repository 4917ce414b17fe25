"""The metrics of reported events."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from protos.shopfront.v1 import event_pb2


class EventMetrics:
    """Events accepted and refused."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.events = metrics.counts("events", "Reported events: accepted or refused.", "outcome")
        self.refused = metrics.counts("events_refused", "Refused events by field at fault.", "field")
        self.unknown_item = metrics.counter(
            "events_unknown_item", "Accepted events of items outside the catalogue."
        )

    def observe(self, response: event_pb2.ReportEventsResponse) -> None:
        """Counts the events of one answered ReportEvents."""
        if response.accepted:
            self.events["accepted",].inc(response.accepted)
        if response.unknown_items:
            self.unknown_item.inc(response.unknown_items)
        if response.errors:
            self.events["refused",].inc(len(response.errors))
        for error in response.errors:
            self.refused[error.field,].inc()
