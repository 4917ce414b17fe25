"""Takes in reported events: checks each by itself, stores the good ones, names the bad ones."""

from router.events.check import EventFault, check_events
from router.events.report import report_events

__all__ = ["EventFault", "check_events", "report_events"]
