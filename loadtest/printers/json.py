"""ghz's `json` and `pretty`."""

from __future__ import annotations

import json as standard_json
from datetime import UTC, datetime
from typing import Any

from loadtest.printers.details import details
from loadtest.report import Percentile, Report


def json(report: Report) -> str:
    """One line, as Go's encoding/json writes it."""
    return standard_json.dumps(as_tree(report), ensure_ascii=False, separators=(",", ":"))


def pretty(report: Report) -> str:
    """Indented by two blanks."""
    return standard_json.dumps(as_tree(report), ensure_ascii=False, indent=2)


def as_tree(report: Report) -> dict[str, Any]:
    """The report as JSON values under ghz's names; what ghz does not have is under `loadtest`."""
    counted = bool(report.latencies)
    tree: dict[str, Any] = {"date": report.date.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if report.name:
        tree["name"] = report.name
    tree |= {
        "endReason": report.end_reason,
        "options": dict(report.options),
        "count": report.count,
        "total": report.total,
        "average": report.average,
        "fastest": report.fastest,
        "slowest": report.slowest,
        "rps": report.rps,
        "errorDistribution": dict(report.errors),
        "statusCodeDistribution": dict(report.statuses),
        "latencyDistribution": [
            {"percentage": int(p.percentage), "latency": p.latency} for p in report.latencies
        ]
        if counted
        else None,
        "histogram": [{"mark": b.mark, "count": b.count, "frequency": b.frequency} for b in report.histogram]
        if counted
        else None,
        "details": [
            {
                "timestamp": timestamp(each.ended_ns),
                "latency": each.latency,
                "error": each.error,
                "status": each.status,
            }
            for each in details(report)
        ]
        or None,
    }
    if report.tags:
        tree["tags"] = dict(report.tags)
    tree["loadtest"] = beyond_ghz(report)
    return tree


def beyond_ghz(report: Report) -> dict[str, Any]:
    """The parts that ghz's report lacks.

    Percentiles up to 99.99 from start and from intended start, the verdict, the server's times.
    """
    tree: dict[str, Any] = {"serviceLatency": _percentiles(report.service)}
    if report.scheduled:
        tree["responseLatency"] = _percentiles(report.response)
        tree["unsent"] = report.results.unsent
    if report.results.messages != report.count:
        tree["messages"] = report.results.messages
    if report.verdicts:
        tree["slo"] = {
            "held": report.held,
            "clauses": [
                {"clause": each.clause, "held": each.held, "measured": each.measured}
                for each in report.verdicts
            ],
        }
    if report.search is not None:
        tree["search"] = dict(report.search)
    if report.stages:
        tree["stages"] = {name: dict(times) for name, times in report.stages.items()}
    if report.server_metrics:
        tree["serverMetrics"] = {name: dict(values) for name, values in report.server_metrics.items()}
    return tree


def _percentiles(percentiles: tuple[Percentile, ...]) -> list[dict[str, Any]]:
    return [{"percentage": each.percentage, "latency": each.latency} for each in percentiles]


def timestamp(at_ns: int) -> str:
    """RFC 3339 with nanoseconds, trailing zeros left out, as Go writes times."""
    seconds, rest = divmod(at_ns, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"
