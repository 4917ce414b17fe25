"""ghz's `influx-summary` and `influx-details`: InfluxDB line protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from loadtest.durations import SECOND, go_duration
from loadtest.printers.details import details
from loadtest.report import Report


def influx_summary(report: Report) -> str:
    """One line, measurement `ghz_run`, at the report's date."""
    failed = sum(report.errors.values())
    tags = [*_tags(report), f"errors={failed}", f"has_errors={str(failed > 0).lower()}"]
    fields = [
        f"count={report.count}",
        f"total={report.total}",
        f"average={report.average}",
        f"fastest={report.fastest}",
        f"slowest={report.slowest}",
        f"rps={report.rps:4.2f}",
    ]
    latency = {int(each.percentage): each.latency for each in report.latencies}
    if latency:
        fields += [f"median={latency[50]}", f"p95={latency[95]}"]
    fields.append(f"errors={failed}")
    at = int(report.date.timestamp() * 1_000_000) * 1_000
    return f"ghz_run,{','.join(tags)} {','.join(fields)} {at}"


def influx_details(report: Report) -> str:
    """One line per request, measurement `ghz_detail`, at the request's end."""
    tags = ",".join(_tags(report))
    return "".join(
        f"ghz_detail,{tags},hasError={str(bool(each.error)).lower()} "
        f'latency={each.latency},error="{_escaped(each.error)}",status="{each.status}" {each.ended_ns}\n'
        for each in details(report)
    )


def _tags(report: Report) -> list[str]:
    options = report.options
    tags = []
    if report.name:
        tags.append(f'name="{_escaped(report.name.strip())}"')
    if options.get("proto"):
        tags.append(f'proto="{options["proto"]}"')
    elif options.get("protoset"):
        tags.append(f'Protoset="{options["protoset"]}"')
    tags += [
        f'call="{options.get("call", "")}"',
        f'host="{options.get("host", "")}"',
        f"n={options.get('total', 0)}",
    ]
    if options["concurrency-schedule"] == "const":
        tags.append(f"c={options.get('concurrency', 0)}")
    else:
        tags += _schedule(options, "concurrency")
    if options["load-schedule"] == "const":
        tags.append(f"rps={options.get('rps', 0)}")
    else:
        tags += _schedule(options, "load")
    tags += [
        f"z={options.get('duration', 0)}",
        f"timeout={_seconds(options.get('timeout', 0))}",
        f"dial_timeout={_seconds(options.get('dial-timeout', 0))}",
        f"keepalive={_seconds(options.get('keepalive', 0))}",
        f"data={_escaped(_as_text(options.get('data')))}",
        f"metadata={_escaped(_as_text(options['metadata'])) if options.get('metadata') else _EMPTY}",
        f"tags={_escaped(_as_text(report.tags)) if report.tags else _EMPTY}",
    ]
    return tags


_EMPTY = '""'


def _schedule(options: Mapping[str, Any], what: str) -> list[str]:
    return [
        f"{what}-schedule={options[what + '-schedule']}",
        f"{what}-start={options[what + '-start']}",
        f"{what}-end={options[what + '-end']}",
        f"{what}-step={options[what + '-step']}",
        f"{what}-step-duration={go_duration(options[what + '-step-duration'])}",
        f"{what}-max-duration={go_duration(options[what + '-max-duration'])}",
    ]


def _seconds(nanoseconds: int) -> str:
    return repr(nanoseconds / SECOND).removesuffix(".0")


def _as_text(value: object) -> str:
    """JSON, as a JSON string, with the escapes that Go's encoder adds for HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for letter in "&<>":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return json.dumps(text, ensure_ascii=False)


def _escaped(text: str) -> str:
    return text.replace(" ", "\\ ").replace(",", "\\,").replace("=", "\\=")
