"""Reports for tests, among them the one that ghz's own tests print."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from loadtest.latency_histogram import LatencyHistogram
from loadtest.options import LoadOptions
from loadtest.report import Bucket, Percentile, Report, report_of
from loadtest.results import Results

DATE = datetime(2018, 12, 15, 16, 10, 51, tzinfo=UTC)
NANOSECONDS = 1_544_890_251_000_000_000
ERRORS = [
    "rpc error: code = Internal desc = Internal error.",
    "rpc error: code = DeadlineExceeded desc = Deadline exceeded.",
]


def results(latencies_ms: list[float], failed: dict[int, int] | None = None) -> Results:
    """Requests begun one ms apart; `failed`: position → status."""
    count = len(latencies_ms)
    started = np.arange(count, dtype=np.int64) * 1_000_000
    status = np.zeros(count, np.uint8)
    error = np.full(count, -1, np.int32)
    errors = []
    for at, code in (failed or {}).items():
        status[at] = code
        error[at] = len(errors)
        errors.append(f'rpc error: code = X desc = {at}, "quoted"')
    ended = started + (np.array(latencies_ms) * 1e6).astype(np.int64)
    return Results(
        intended_ns=started - 500_000,
        started_ns=started,
        ended_ns=ended,
        status=status,
        error=error,
        errors=errors,
        count=count,
        latency_sum_ns=int((ended - started).sum()),
        status_counts=Counter(status.tolist()),
        error_counts=Counter(errors),
        service=LatencyHistogram(),
        response=LatencyHistogram(),
        messages=count,
        began_ns=0,
        finished_ns=int(ended.max()) if count else 1,
    )


# The report that ghz's own tests print (printer/influx_test.go, printer/prometheus_test.go).
GHZ_OPTIONS = LoadOptions(
    call="helloworld.Greeter.SayHello",
    proto="/apis/greeter.proto",
    host="0.0.0.0:50051",
    name="run name",
    data={"name": "Bob Smith"},
    metadata={"foo bar": "biz baz"},
    timeout=0,
    connect_timeout=0,
    connections=0,
    cpus=0,
)


def ghz_report() -> Report:
    one = results([1.0])
    report = report_of(GHZ_OPTIONS, one, DATE)
    buckets = [(0.01, 1, 0.005), (0.02, 10, 0.01), (0.03, 50, 0.1), (0.05, 60, 0.15), (0.1, 15, 0.07)]
    latencies = [(25, 1), (50, 5), (75, 10), (90, 15), (95, 20), (99, 25)]
    return replace(
        report,
        count=200,
        total=2_000_000_000,
        average=10_000_000,
        fastest=1_000_000,
        slowest=100_000_000,
        rps=2000.0,
        errors={ERRORS[0]: 3, ERRORS[1]: 2},
        statuses={"OK": 195, "Internal": 3, "DeadlineExceeded": 2},
        latencies=tuple(Percentile(q, ms * 1_000_000) for q, ms in latencies),
        histogram=tuple(Bucket(*bucket) for bucket in buckets),
    )
