"""ghz's `html`: the same sections on one page that loads nothing from elsewhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from html import escape

from loadtest.durations import format_nanoseconds
from loadtest.printers.details import csv, details
from loadtest.printers.json import as_tree, beyond_ghz
from loadtest.report import Report

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 60rem }
h1 { margin-bottom: 0 } .date { color: #777; margin-top: 0 }
table { border-collapse: collapse; margin: .5rem 0 } th, td { padding: .25rem .8rem; text-align: left }
tr { border-bottom: 1px solid #e5e5e5 } td.number { text-align: right; font-variant-numeric: tabular-nums }
.bar { background: #39b3a6; height: 1rem; min-width: 1px } .bars td { border: 0; padding: .1rem .6rem }
.tag { background: #eee; border-radius: .3rem; padding: .1rem .5rem; margin-right: .4rem }
.missed { color: #b00020; font-weight: bold } pre { background: #f6f6f6; padding: 1rem; overflow: auto }
nav a { margin-right: 1rem }
"""


def html(report: Report) -> str:
    """One self-contained page: style, bars and the downloads are in it."""
    title = f"ghz - {report.name}" if report.name else "ghz"
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.name)}</h1>" if report.name else "",
        f'<p class="date">{report.date:%a %b %e %Y @ %H:%M:%S} UTC</p>',
        "<nav>" + "".join(f'<a href="#{name.lower()}">{name}</a>' for name in _sections(report)) + "</nav>",
        "<p>"
        + "".join(f'<span class="tag">{escape(k)}: {escape(v)}</span>' for k, v in report.tags.items())
        + "</p>",
        _section("Summary", _summary(report)),
        _section("Histogram", _bars(report)),
        _section(
            "Latency",
            _table(
                ("", "from start", *(("from intended start",) if report.scheduled else ())),
                _latencies(report),
            ),
        ),
        _section(
            "Status",
            _table(
                ("Status", "Count", "% of Total"),
                (
                    (name, count, f"{count / report.count * 100:.2f} %")
                    for name, count in report.statuses.items()
                ),
            ),
        ),
    ]
    if report.errors:
        parts.append(
            _section(
                "Errors",
                _table(
                    ("Error", "Count", "% of Total"),
                    (
                        (name, count, f"{count / report.count * 100:.2f} %")
                        for name, count in report.errors.items()
                    ),
                ),
            )
        )
    if report.verdicts:
        parts.append(
            _section(
                "SLO",
                f"<p{'' if report.held else ' class=missed'}>{'held' if report.held else 'missed'}</p>"
                + _table(
                    ("Clause", "Measured", ""),
                    ((v.clause, v.measured, "held" if v.held else "missed") for v in report.verdicts),
                ),
            )
        )
    if report.stages:
        parts.append(
            _section(
                "Stages",
                _table(
                    ("Server stage", "mean ms", "p50 ms", "p99 ms"),
                    (
                        (n, f"{s['mean_ms']:.3f}", f"{s['p50_ms']:.3f}", f"{s['p99_ms']:.3f}")
                        for n, s in report.stages.items()
                    ),
                ),
            )
        )
    raw = json.dumps(as_tree(report)["details"] or [], separators=(",", ":"))
    parts += [
        _section(
            "Data",
            f'<a download="data.json" href="{_data_url("application/json", raw)}">JSON</a> '
            f'<a download="data.csv" href="{_data_url("text/csv", csv(report).lstrip())}">CSV</a> '
            f"({sum(1 for _ in details(report))} requests)",
        ),
        _section(
            "Options", f"<pre>{escape(json.dumps(dict(report.options), indent=2, ensure_ascii=False))}</pre>"
        ),
        _section(
            "More", f"<pre>{escape(json.dumps(beyond_ghz(report), indent=2, ensure_ascii=False))}</pre>"
        ),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _sections(report: Report) -> list[str]:
    optional = [("Errors", report.errors), ("SLO", report.verdicts), ("Stages", report.stages)]
    shown = [name for name, present in optional if present]
    return ["Summary", "Histogram", "Latency", "Status", *shown, "Data", "Options", "More"]


def _section(title: str, body: str) -> str:
    return f'<section id="{title.lower()}"><h2>{title}</h2>{body}</section>'


def _summary(report: Report) -> str:
    return _table(
        (),
        (
            ("Count", report.count),
            ("Total", format_nanoseconds(report.total)),
            ("Slowest", format_nanoseconds(report.slowest)),
            ("Fastest", format_nanoseconds(report.fastest)),
            ("Average", format_nanoseconds(report.average)),
            ("Requests / sec", f"{report.rps:4.2f}"),
            ("Ended", report.end_reason),
        ),
    )


def _bars(report: Report) -> str:
    most = max((bucket.count for bucket in report.histogram), default=0) or 1
    rows = "".join(
        f'<tr><td class="number">{bucket.mark * 1e3:.3f} ms</td>'
        f'<td style="width:30rem"><div class="bar" style="width:{bucket.count / most * 100:.1f}%"></div></td>'
        f'<td class="number">{bucket.count} ({bucket.frequency * 100:.1f} %)</td></tr>'
        for bucket in report.histogram
    )
    return f'<table class="bars">{rows}</table>'


def _latencies(report: Report) -> Iterable[tuple[object, ...]]:
    for service, response in zip(report.service, report.response, strict=True):
        row: tuple[object, ...] = (f"{service.percentage:g} %", _latency(service.latency))
        yield (*row, _latency(response.latency)) if report.scheduled else row


def _latency(value: int | None) -> str:
    return "-" if value is None else format_nanoseconds(value)


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{'<tr>' + head + '</tr>' if header else ''}{body}</table>"


def _data_url(kind: str, content: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.encode()).decode()}"
