"""Takes in reported events: checks each by itself, stores the good ones, names the bad ones."""

from router.events.check import EventFault, check_events
from router.events.report import Reported, report_events

__all__ = ["EventFault", "Reported", "check_events", "report_events"]
