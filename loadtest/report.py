"""ghz's report, field for field (runner/reporter.go of ghz 0.12x), with what ghz lacks under `loadtest`.

ghz's readers pass over fields they do not know. Durations are integers in nanoseconds, marks of the histogram
seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.durations import SECOND
from loadtest.latency_histogram import LatencyHistogram
from loadtest.options import LoadOptions
from loadtest.results import Results
from loadtest.slo import Measured, Verdict
from loadtest.status import Status

GHZ_PERCENTAGES = (10, 25, 50, 75, 90, 95, 99)
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)
_BUCKETS = 10
_FOREVER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Bucket:
    """`mark`: upper end in seconds; `frequency`: share of the counted requests."""

    mark: float
    count: int
    frequency: float


@dataclass(frozen=True, slots=True)
class Percentile:
    """Percentile `percentage` of 0…100 in ns; None where no request was counted."""

    percentage: float
    latency: int | None


@dataclass(frozen=True)
class Report:
    """Everything the printers print. Latencies and durations in ns, `rps` requests per second."""

    name: str
    end_reason: str
    options: Mapping[str, Any]
    date: datetime
    count: int
    total: int
    average: int
    fastest: int
    slowest: int
    rps: float
    errors: Mapping[str, int]
    statuses: Mapping[str, int]
    latencies: tuple[Percentile, ...]
    histogram: tuple[Bucket, ...]
    results: Results
    tags: Mapping[str, str]
    scheduled: bool
    service: tuple[Percentile, ...]
    response: tuple[Percentile, ...]
    verdicts: tuple[Verdict, ...] = ()
    stages: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    server_metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    search: Mapping[str, Any] | None = None

    @property
    def held(self) -> bool:
        """Whether every clause of the objective held; true without one."""
        return all(verdict.held for verdict in self.verdicts)


def report_of(options: LoadOptions, results: Results, date: datetime) -> Report:
    """The report of a test that ended at `date`."""
    service = np.sort(_counted(options, results, results.ended_ns - results.started_ns))
    response = np.sort(_counted(options, results, results.ended_ns - results.intended_ns))
    total = max(1, results.finished_ns - results.began_ns)
    whole = len(results.ended_ns) == results.count
    return Report(
        name=options.name,
        end_reason=results.reason,
        options=ghz_options(options),
        date=date,
        count=results.count,
        total=total,
        average=results.latency_sum_ns // results.count if results.count else 0,
        fastest=int(service[0]) if service.size else 0,
        slowest=int(service[-1]) if service.size else 0,
        rps=results.count / (total / SECOND) if results.count else 0.0,
        errors=dict(sorted(results.error_counts.items())),
        statuses={Status(code).go_name: count for code, count in sorted(results.status_counts.items())},
        latencies=ghz_latencies(service),
        histogram=ghz_histogram(service),
        results=results,
        tags=dict(options.tags or {}),
        scheduled=options.scheduled,
        service=tuple(Percentile(q, _percentile(service, results.service, whole, q)) for q in PERCENTILES),
        response=tuple(Percentile(q, _percentile(response, results.response, whole, q)) for q in PERCENTILES),
        stages=stage_summary(results.stages),
    )


def measured_of(options: LoadOptions, results: Results) -> Measured:
    """What objectives are judged on: latency from the intended start, without a schedule from the start."""
    response = np.sort(_counted(options, results, results.ended_ns - results.intended_ns))
    whole = len(results.ended_ns) == results.count
    elapsed = max(1, results.finished_ns - results.began_ns) / SECOND
    return Measured(
        latency_ns=lambda q: _percentile(response, results.response, whole, q),
        mean_ns=float(response.mean()) if response.size else None,
        max_ns=float(response[-1]) if response.size else None,
        sent=results.count,
        failed=results.count - results.status_counts[Status.OK],
        unsent=results.unsent,
        rate=results.status_counts[Status.OK] / elapsed,
    )


def _counted(options: LoadOptions, results: Results, latencies: NDArray[np.int64]) -> NDArray[np.int64]:
    return latencies if options.count_errors else latencies[results.status == Status.OK]


def _percentile(
    latencies: NDArray[np.int64], histogram: LatencyHistogram, whole: bool, percentage: float
) -> int | None:
    """Nearest rank, exact while every request's row is kept; from the histogram beyond that."""
    if not latencies.size:
        return None
    if not whole:
        return histogram.percentile(percentage)
    return int(latencies[_rank(len(latencies), percentage)])


def _rank(count: int, percentage: float) -> int:
    """Rank as in ghz: the position of the smallest value that `percentage` percent of all do not exceed."""
    position = percentage / 100 * count
    at = int(position)
    return max(0, at - 1 if position == at else at)


def ghz_latencies(latencies: NDArray[np.int64]) -> tuple[Percentile, ...]:
    """The percentiles that ghz reports of ascending latencies in ns; none of none."""
    if not latencies.size:
        return ()
    return tuple(Percentile(q, int(latencies[_rank(len(latencies), q)])) for q in GHZ_PERCENTAGES)


def ghz_histogram(latencies: NDArray[np.int64]) -> tuple[Bucket, ...]:
    """Histogram of ascending latencies as in ghz.

    11 marks from the fastest to the slowest, each with the number of latencies since the mark before it.
    """
    if not latencies.size:
        return ()
    seconds = latencies / SECOND
    fastest, slowest = float(seconds[0]), float(seconds[-1])
    width = (slowest - fastest) / _BUCKETS
    marks = [fastest + width * at for at in range(_BUCKETS)] + [slowest]
    below = np.searchsorted(seconds, marks, side="right")
    below[-1] = len(seconds)
    counts = np.diff(np.concatenate(([0], np.maximum.accumulate(below))))
    return tuple(
        Bucket(mark, int(count), int(count) / len(seconds)) for mark, count in zip(marks, counts, strict=True)
    )


def ghz_options(options: LoadOptions) -> dict[str, Any]:
    """The `options` of a report as ghz writes them.

    Keys are the names of its flags; empty values are left out where ghz leaves them out.
    """
    always = {
        "insecure": options.insecure,
        "load-schedule": options.load_schedule,
        "load-start": options.load_start,
        "load-end": options.load_end,
        "load-step": options.load_step,
        "load-step-duration": options.load_step_duration,
        "load-max-duration": options.load_max_duration,
        "concurrency-schedule": options.concurrency_schedule,
        "concurrency-start": options.concurrency_start,
        "concurrency-end": options.concurrency_end,
        "concurrency-step": options.concurrency_step,
        "concurrency-step-duration": options.concurrency_step_duration,
        "concurrency-max-duration": options.concurrency_max_duration,
        "binary": options.binary or bool(options.binary_file),
        "CPUs": options.cpus,
    }
    where_set = {
        "call": options.call,
        "host": options.host,
        "proto": options.proto,
        "protoset": options.protoset,
        "import-paths": list(options.import_paths),
        "enable-compression": options.enable_compression,
        "cacert": options.cacert,
        "cert": options.cert,
        "key": options.key,
        "cname": options.cname,
        "skipTLS": options.skip_tls,
        "authority": options.authority,
        "rps": options.rps,
        "concurrency": options.concurrency,
        "total": _FOREVER if options.duration else options.total,
        "async": options.run_async,
        "connections": options.connections,
        "duration": options.duration or options.max_duration,
        "timeout": options.timeout,
        "dial-timeout": options.connect_timeout,
        "keepalive": options.keepalive,
        "data": _shown(options.data, options.data_text, options.data_file),
        "metadata": _shown(options.metadata and dict(options.metadata), "", options.metadata_file),
        "name": options.name,
        "skipFirst": options.skip_first,
        "count-errors": options.count_errors,
    }
    return {
        name: value for name, value in where_set.items() if value not in (None, "", 0, [], False)
    } | always


def _shown(value: Any, text: str, path: str) -> Any:
    """Data as the report shows it: a template that is no JSON until it is rendered is left out, as in ghz."""
    if value is not None or not (text or path):
        return value
    try:
        return json.loads(text or Path(path).read_text())
    except (OSError, ValueError):
        return None


def stage_summary(stages: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Mean, median and p99 in ms of the server's stages, in the order they were first seen."""
    summary = {}
    for name, times in stages.items():
        p50, p99 = np.percentile(times, [50, 99])
        summary[name] = {
            "count": len(times),
            "mean_ms": round(float(np.mean(times)), 6),
            "p50_ms": round(float(p50), 6),
            "p99_ms": round(float(p99), 6),
        }
    return summary


def now() -> datetime:
    """The time of day, with its zone."""
    return datetime.now(UTC)
