"""Receives reported events: checks each by itself, stores the good ones, names the bad ones."""

from router.events.check import CheckedEvents, EventFault, check_events
from router.events.report import AttributedEvent, Reported, report_events

__all__ = ["AttributedEvent", "CheckedEvents", "EventFault", "Reported", "check_events", "report_events"]
