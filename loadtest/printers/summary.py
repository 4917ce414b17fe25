"""ghz's `summary`, and below it what ghz lacks."""

from __future__ import annotations

from loadtest.durations import format_nanoseconds
from loadtest.report import Bucket, Report

_BAR = "∎"
_LONGEST_BAR = 40
_PADDING = 3


def summary(report: Report) -> str:
    """The report in ghz's layout, blank for blank (printer/template.go), then the additions."""
    lines = ["", "Summary:"]
    if report.name:
        lines.append(f"  Name:\t\t{report.name}")
    lines += [
        f"  Count:\t{report.count}",
        f"  Total:\t{format_nanoseconds(report.total)}",
        f"  Slowest:\t{format_nanoseconds(report.slowest)}",
        f"  Fastest:\t{format_nanoseconds(report.fastest)}",
        f"  Average:\t{format_nanoseconds(report.average)}",
        f"  Requests/sec:\t{report.rps:4.2f}",
        "",
        "Response time histogram:",
        *_histogram(report.histogram),
        "",
        "Latency distribution:",
        *(
            f"  {each.percentage:.0f} % in {format_nanoseconds(each.latency or 0)} "
            for each in report.latencies
        ),
        "",
    ]
    if report.statuses:
        lines.append("Status code distribution:")
        lines += _table(
            [(f"  [{status}]", f"{count} responses") for status, count in report.statuses.items()]
        )
    lines.append("")
    if report.errors:
        lines.append("Error distribution:")
        lines += _table([(f"  [{count}]", error) for error, count in report.errors.items()])
    lines.append("")
    return "\n".join(lines + _beyond_ghz(report)) + "\n"


def _histogram(buckets: tuple[Bucket, ...]) -> list[str]:
    most = max((bucket.count for bucket in buckets), default=0)
    marks = [f"{bucket.mark * 1e3:.3f}" for bucket in buckets]
    widest = len(f"{max((bucket.mark for bucket in buckets), default=0.0) * 1e3:.3f}")
    lines = []
    for mark, bucket in zip(marks, buckets, strict=True):
        bar = _BAR * ((bucket.count * _LONGEST_BAR + most // 2) // most) if most else ""
        lines.append(
            f"  {mark:<{widest}} [{bucket.count}]{' ' * (len(str(most)) - len(str(bucket.count)))} |{bar}"
        )
    return lines


def _table(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns as Go's tabwriter sets them: each as wide as its widest cell and three blanks."""
    widths = [max(len(row[column]) for row in rows) + _PADDING for column in (0, 1)]
    return [f"{left:<{widths[0]}}{right:<{widths[1]}}" for left, right in rows]


def _beyond_ghz(report: Report) -> list[str]:
    lines = ["Percentiles:"]
    header = f"  {'':>7} {'from start':>12}"
    lines.append(header + (f" {'from intended start':>20}" if report.scheduled else ""))
    for service, response in zip(report.service, report.response, strict=True):
        line = f"  {'p' + format(service.percentage, 'g'):>7} {_latency(service.latency):>12}"
        lines.append(line + (f" {_latency(response.latency):>20}" if report.scheduled else ""))
    if report.scheduled and report.results.unsent:
        lines += ["", f"Not sent in time: {report.results.unsent} requests found no free slot before the end"]
    if report.results.messages != report.count:
        lines += ["", f"Messages received: {report.results.messages}"]
    if report.stages:
        lines += ["", "Server stages (ms):", f"  {'':32} {'mean':>9} {'p50':>9} {'p99':>9}"]
        lines += [
            f"  {name:32} {times['mean_ms']:9.3f} {times['p50_ms']:9.3f} {times['p99_ms']:9.3f}"
            for name, times in report.stages.items()
        ]
    if report.server_metrics:
        lines += ["", "Server metrics (mean during the test):"]
        lines += [
            f"  {name:70} {values['mean']:12.6g} x {values['count']:.0f}"
            for name, values in report.server_metrics.items()
        ]
    if report.search is not None:
        lines += ["", "Search for the highest rate:"]
        lines += [
            f"  {trial['rate']:>7}/s  {'held' if trial['held'] else 'missed: ' + trial['why']}"
            for trial in report.search["trials"]
        ]
        lines.append(f"  highest rate that holds: {report.search['maxRate']}/s")
    if report.verdicts:
        lines += ["", f"SLO {'held' if report.held else 'MISSED'}:"]
        lines += [
            f"  {'ok    ' if each.held else 'MISSED'} {each.clause}   measured {each.measured}"
            for each in report.verdicts
        ]
    return lines


def _latency(value: int | None) -> str:
    return "-" if value is None else format_nanoseconds(value)
