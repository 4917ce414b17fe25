"""ghz's `csv`: one line per request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from loadtest.report import Report
from loadtest.status import Status


class Detail(NamedTuple):
    """One request.

    `ended_ns` and `intended_ns` count from 1970, latencies are in ns, error text and status name are those of
    grpc-go.
    """

    ended_ns: int
    latency: int
    response: int
    error: str
    status: str


def details(report: Report) -> Iterator[Detail]:
    """The requests in order of completion, the first million of them."""
    results = report.results
    # The clock of the columns has no date: the report's moment is the end of the last request.
    offset = int(report.date.timestamp() * 1e9) - results.finished_ns
    names = [status.go_name for status in Status]
    errors = [*results.errors, ""]
    for intended, started, ended, status, error in zip(
        results.intended_ns.tolist(),
        results.started_ns.tolist(),
        results.ended_ns.tolist(),
        results.status.tolist(),
        results.error.tolist(),
        strict=True,
    ):
        yield Detail(ended + offset, ended - started, ended - intended, errors[error], names[status])


def csv(report: Report) -> str:
    """Milliseconds, status and error; an error with commas or quotes is quoted (RFC 4180)."""
    lines = ["", "duration (ms),status,error"]
    lines += [f"{each.latency / 1e6:4.2f},{each.status},{_quoted(each.error)}" for each in details(report)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
