"""ghz's `prometheus`: text exposition for a push gateway or a textfile collector.

Names, labels and units are ghz's. Buckets are cumulative, as the format demands; ghz writes each bucket's own
count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from loadtest.durations import go_float
from loadtest.report import Report


def prometheus(report: Report) -> str:
    """The families ghz_run_count … ghz_run_errors."""
    labels = _labels(report)
    lines = []
    for name, value in (
        ("ghz_run_count", report.count),
        ("ghz_run_total", report.total),
        ("ghz_run_average", report.average),
        ("ghz_run_fastest", report.fastest),
        ("ghz_run_slowest", report.slowest),
        ("ghz_run_rps", report.rps),
    ):
        lines += [f"# TYPE {name} gauge", _sample(name, labels, value)]
    lines.append("# TYPE ghz_run_histogram histogram")
    cumulative = accumulate(bucket.count for bucket in report.histogram)
    for bucket, count in zip(report.histogram, cumulative, strict=True):
        lines.append(_sample("ghz_run_histogram_bucket", labels | {"le": go_float(bucket.mark)}, count))
    lines += [
        _sample("ghz_run_histogram_bucket", labels | {"le": "+Inf"}, report.count),
        *_sum_and_count("ghz_run_histogram", labels, report),
        "# TYPE ghz_run_latency summary",
    ]
    for each in report.latencies:
        quantile = go_float(each.percentage / 100)
        lines.append(_sample("ghz_run_latency", labels | {"quantile": quantile}, each.latency or 0))
    lines += [
        *_sum_and_count("ghz_run_latency", labels, report),
        "# TYPE ghz_run_errors gauge",
        _sample("ghz_run_errors", labels, sum(report.errors.values())),
    ]
    return "\n".join(lines) + "\n"


def _sum_and_count(name: str, labels: Mapping[str, str], report: Report) -> Iterator[str]:
    yield _sample(f"{name}_sum", labels, report.total)
    yield _sample(f"{name}_count", labels, report.count)


_LEFT_OUT = {"data", "metadata", "name"}
_ALWAYS_NUMBERS = (
    "rps",
    "concurrency",
    "total",
    "connections",
    "skipFirst",
    "duration",
    "timeout",
    "dial-timeout",
)


def _labels(report: Report) -> dict[str, str]:
    options = dict(report.options)
    for name in (*_ALWAYS_NUMBERS, "keepalive"):
        options.setdefault(name, 0)
    for name in ("skipTLS", "async", "count-errors"):
        options.setdefault(name, False)
    options["import-paths"] = ",".join(options.get("import-paths", ()))
    for what in ("load", "concurrency"):
        if options[f"{what}-schedule"] == "const":
            for name in [name for name in options if name.startswith(f"{what}-")]:
                del options[name]
    labels = {"name": report.name, "end_reason": report.end_reason}
    labels |= {
        name.replace("-", "_"): _text(value) for name, value in options.items() if name not in _LEFT_OUT
    }
    return labels


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{written}}} {go_float(float(value))}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
