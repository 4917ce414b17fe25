"""A report in ghz's formats; `printed` chooses one by ghz's name for it."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.printers.details import csv
from loadtest.printers.html import html
from loadtest.printers.influx import influx_details, influx_summary
from loadtest.printers.json import json, pretty
from loadtest.printers.prometheus import prometheus
from loadtest.printers.summary import summary
from loadtest.report import Report

_PRINTERS: dict[str, Callable[[Report], str]] = {
    "summary": summary,
    "csv": csv,
    "json": json,
    "pretty": pretty,
    "html": html,
    "influx-summary": influx_summary,
    "influx-details": influx_details,
    "prometheus": prometheus,
}


def printed(report: Report, form: str) -> str:
    """The report as text in one of `loadtest.options.FORMATS`."""
    return _PRINTERS[form](report)
