"""The metrics of reported events."""

from __future__ import annotations

from collections.abc import Mapping

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
        self.uncredited = metrics.counts(
            "events_uncredited",
            "Accepted events stored without their attribution token, which is of another shopper's answer "
            "(shopper) or of one without the item (item).",
            "reason",
        )

    def observe(self, response: event_pb2.ReportEventsResponse, uncredited: Mapping[str, int]) -> None:
        """Counts the events of one answered ReportEvents; `uncredited` as in `CheckedEvents`."""
        for reason, count in uncredited.items():
            self.uncredited[reason,].inc(count)
        if response.accepted:
            self.events["accepted",].inc(response.accepted)
        if response.unknown_items:
            self.unknown_item.inc(response.unknown_items)
        if response.errors:
            self.events["refused",].inc(len(response.errors))
        for error in response.errors:
            self.refused[error.field,].inc()
