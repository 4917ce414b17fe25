"""Reports against what ghz prints: its documented samples, and its structures as a schema."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from loadtest.latency_histogram import LatencyHistogram
from loadtest.options import FORMATS, LoadOptions
from loadtest.printers import printed
from loadtest.report import Bucket, Percentile, Report, ghz_histogram, ghz_latencies, ghz_options, report_of
from loadtest.results import Results
from loadtest.slo import Verdict

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


TAGS = (
    'name="run\\ name",proto="/apis/greeter.proto",call="helloworld.Greeter.SayHello",host="0.0.0.0:50051",'
    'n=200,c=50,rps=0,z=0,timeout=0,dial_timeout=0,keepalive=0,data="{\\"name\\":\\"Bob\\ Smith\\"}",'
    'metadata="{\\"foo\\ bar\\":\\"biz\\ baz\\"}",tags=""'
)


def test_influx_summary_is_ghz_s_line() -> None:
    assert printed(ghz_report(), "influx-summary") == (
        f"ghz_run,{TAGS},errors=5,has_errors=true count=200,total=2000000000,average=10000000,"
        f"fastest=1000000,slowest=100000000,rps=2000.00,median=5000000,p95=20000000,errors=5 {NANOSECONDS}"
    )


def test_influx_details_is_ghz_s_line() -> None:
    assert printed(ghz_report(), "influx-details") == (
        f'ghz_detail,{TAGS},hasError=false latency=1000000,error="",status="OK" {NANOSECONDS}\n'
    )


def test_prometheus_has_ghz_s_families_labels_and_values() -> None:
    text = printed(ghz_report(), "prometheus")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert list(families) == [
        f"ghz_run_{name}"
        for name in (
            "count", "total", "average", "fastest", "slowest", "rps", "histogram", "latency", "errors",
        )
    ]  # fmt: skip
    labels = {
        "name": "run name", "end_reason": "normal", "insecure": "false", "rps": "0", "connections": "0",
        "keepalive": "0", "skipFirst": "0", "dial_timeout": "0", "proto": "/apis/greeter.proto",
        "concurrency": "50", "call": "helloworld.Greeter.SayHello", "import_paths": "", "async": "false",
        "binary": "false", "total": "200", "host": "0.0.0.0:50051", "skipTLS": "false", "CPUs": "0",
        "timeout": "0", "count_errors": "false", "duration": "0",
    }  # fmt: skip
    assert families["ghz_run_count"].samples[0].labels == labels
    assert "ghz_run_total{" in text
    assert "} 2e+09\n" in text
    quantiles = {
        sample.labels["quantile"]: sample.value
        for sample in families["ghz_run_latency"].samples
        if "quantile" in sample.labels
    }
    assert quantiles == {"0.25": 1e6, "0.5": 5e6, "0.75": 1e7, "0.9": 1.5e7, "0.95": 2e7, "0.99": 2.5e7}
    buckets = [
        sample.value for sample in families["ghz_run_histogram"].samples if sample.name.endswith("_bucket")
    ]
    assert buckets == [1, 11, 61, 121, 136, 200]


def test_summary_is_ghz_s_layout() -> None:
    lines = printed(ghz_report(), "summary").split("\n")
    assert lines[:28] == [
        "",
        "Summary:",
        "  Name:\t\trun name",
        "  Count:\t200",
        "  Total:\t2.00 s",
        "  Slowest:\t100.00 ms",
        "  Fastest:\t1.00 ms",
        "  Average:\t10.00 ms",
        "  Requests/sec:\t2000.00",
        "",
        "Response time histogram:",
        "  10.000  [1]  |∎",
        "  20.000  [10] |∎∎∎∎∎∎∎",
        "  30.000  [50] |" + "∎" * 33,
        "  50.000  [60] |" + "∎" * 40,
        "  100.000 [15] |" + "∎" * 10,
        "",
        "Latency distribution:",
        "  25 % in 1.00 ms ",
        "  50 % in 5.00 ms ",
        "  75 % in 10.00 ms ",
        "  90 % in 15.00 ms ",
        "  95 % in 20.00 ms ",
        "  99 % in 25.00 ms ",
        "",
        "Status code distribution:",
        "  [OK]                 195 responses   ",
        "  [Internal]           3 responses     ",
    ]


def test_csv_has_ghz_s_columns_and_quotes_what_would_break_them() -> None:
    report = report_of(LoadOptions(), results([1.43, 0.39], {1: 13}), DATE)
    assert printed(report, "csv") == (
        '\nduration (ms),status,error\n1.43,OK,\n0.39,Internal,"rpc error: code = X desc = 1, ""quoted"""\n'
    )


DURATION = {"type": "integer", "minimum": 0}
NUMBER = {"type": "number"}
MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"
COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
# runner.Report and runner.Options of ghz, whose UnmarshalJSON ghz-web ingests with: Go refuses a wrong type.
SCHEMA = {
    "type": "object",
    "required": [
        "date", "endReason", "options", "count", "total", "average", "fastest", "slowest", "rps",
        "errorDistribution", "statusCodeDistribution", "latencyDistribution", "histogram", "details",
    ],
    "properties": {
        "name": {"type": "string"},
        "date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$"},
        "endReason": {"enum": ["normal", "cancel", "timeout"]},
        "count": DURATION,
        "total": DURATION,
        "average": DURATION,
        "fastest": DURATION,
        "slowest": DURATION,
        "rps": {"type": "number"},
        "errorDistribution": COUNTS,
        "statusCodeDistribution": COUNTS,
        "latencyDistribution": {
            "type": ["array", "null"],
            "items": {
                "required": ["percentage", "latency"],
                "properties": {"percentage": {"type": "integer"}, "latency": DURATION},
                "additionalProperties": False,
            },
        },
        "histogram": {
            "type": ["array", "null"],
            "items": {
                "required": ["mark", "count", "frequency"],
                "properties": {"mark": NUMBER, "count": DURATION, "frequency": NUMBER},
                "additionalProperties": False,
            },
        },
        "details": {
            "type": ["array", "null"],
            "items": {
                "required": ["timestamp", "latency", "error", "status"],
                "properties": {
                    "timestamp": {"type": "string", "pattern": MOMENT},
                    "latency": DURATION,
                    "error": {"type": "string"},
                    "status": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "options": {
            "type": "object",
            "required": [
                "insecure", "load-schedule", "load-start", "load-end", "load-step", "load-step-duration",
                "load-max-duration", "concurrency-schedule", "concurrency-start", "concurrency-end",
                "concurrency-step", "concurrency-step-duration", "concurrency-max-duration", "binary", "CPUs",
            ],
            "properties": {
                **{name: {"type": "string"} for name in (
                   "call", "host", "proto", "protoset", "cacert", "cert",
                   "key", "cname", "authority", "load-schedule", "concurrency-schedule", "name")},
                **{name: {"type": "boolean"} for name in (
                   "enable-compression", "skipTLS", "insecure", "async",
                   "binary", "count-errors")},
                **{name: {"type": "integer"} for name in ("rps", "load-start", "load-end", "load-step",
                   "load-step-duration", "load-max-duration", "concurrency", "concurrency-start",
                   "concurrency-end", "concurrency-step", "concurrency-step-duration",
                   "concurrency-max-duration", "total", "connections", "duration", "timeout", "dial-timeout",
                   "keepalive", "CPUs", "skipFirst")},
                "import-paths": {"type": "array", "items": {"type": "string"}},
                "data": {},
                "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "additionalProperties": False,
        },
        "loadtest": {"type": "object"},
    },
    "additionalProperties": False,
}  # fmt: skip

EVERYTHING = LoadOptions(
    **{
        **{name: getattr(GHZ_OPTIONS, name) for name in GHZ_OPTIONS.__slots__},
        "tags": {"env": "staging"},
        "import_paths": ("a", "b"),
        "rps": 10,
        "run_async": True,
        "count_errors": True,
        "skip_first": 3,
        "enable_compression": True,
        "keepalive": 5,
    }
)


@pytest.mark.parametrize("form", ["json", "pretty"])
@pytest.mark.parametrize("options", [LoadOptions(), GHZ_OPTIONS, EVERYTHING])
@pytest.mark.parametrize("measured", [results([]), results([1.5, 2, 3], {1: 14}), results([1], {0: 4})])
def test_json_is_what_ghz_s_reader_takes(form: str, options: LoadOptions, measured: Results) -> None:
    report = replace(report_of(options, measured, DATE), verdicts=(Verdict("p99=5ms", True, "3.00 ms"),))
    jsonschema.validate(json.loads(printed(report, form)), SCHEMA)


def test_json_holds_durations_in_nanoseconds_and_what_ghz_lacks_beside_them() -> None:
    options = replace(GHZ_OPTIONS, rps=100)
    tree = json.loads(printed(report_of(options, results([1, 2, 3, 4]), DATE), "json"))
    assert tree["date"] == "2018-12-15T16:10:51Z"
    assert (tree["count"], tree["fastest"], tree["slowest"], tree["average"]) == (
        4,
        1_000_000,
        4_000_000,
        2_500_000,
    )
    assert tree["total"] == 7_000_000
    assert tree["rps"] == pytest.approx(4 / 0.007)
    assert tree["latencyDistribution"][2] == {"percentage": 50, "latency": 2_000_000}
    assert tree["details"][-1]["timestamp"] == "2018-12-15T16:10:51Z"
    assert tree["details"][0]["timestamp"] == "2018-12-15T16:10:50.994Z"
    assert tree["options"]["data"] == {"name": "Bob Smith"}
    percentages = [each["percentage"] for each in tree["loadtest"]["responseLatency"]]
    assert percentages == [50, 75, 90, 95, 99, 99.9, 99.99]
    assert tree["loadtest"]["serviceLatency"][0]["latency"] == 2_000_000
    assert tree["loadtest"]["responseLatency"][0]["latency"] == 2_500_000


def test_html_loads_nothing_from_elsewhere_and_escapes_what_it_shows() -> None:
    options = replace(GHZ_OPTIONS, name="<script>alert(1)</script>")
    page = printed(report_of(options, results([1, 2], {1: 13}), DATE), "html")
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert 'download="data.json"' in page


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_prints_a_test_without_a_request(form: str) -> None:
    assert isinstance(printed(report_of(LoadOptions(), results([]), DATE), form), str)


latencies = st.lists(st.integers(1_000, 10**10), min_size=1, max_size=200).map(
    lambda values: np.sort(np.array(values, dtype=np.int64))
)


def _ghz_histogram(seconds: list[float]) -> list[int]:
    """runner/reporter.go's loop."""
    slowest, fastest = seconds[-1], seconds[0]
    marks = [fastest + (slowest - fastest) / 10 * at for at in range(10)] + [slowest]
    counts, bucket, at = [0] * 11, 0, 0
    while at < len(seconds):
        if seconds[at] <= marks[bucket]:
            at += 1
            counts[bucket] += 1
        elif bucket < 10:
            bucket += 1
    return counts


@given(latencies)
def test_the_histogram_is_ghz_s(values: np.ndarray) -> None:
    buckets = ghz_histogram(values)
    assert [bucket.count for bucket in buckets] == _ghz_histogram((values / 1e9).tolist())
    assert sum(bucket.count for bucket in buckets) == len(values)


@given(latencies)
def test_the_percentiles_are_ghz_s(values: np.ndarray) -> None:
    for percentile in ghz_latencies(values):
        position = percentile.percentage / 100.0 * len(values)
        at = int(position) - 1 if position == int(position) else int(position)
        assert percentile.latency == values[max(0, at)]


def test_data_from_a_file_stands_in_the_report_where_it_is_json(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('[{"name": "a"}]')
    options = LoadOptions(data_file=str(file), metadata_file=str(file))
    assert ghz_options(options)["data"] == [{"name": "a"}]
    file.write_text('{"name": {{.RequestNumber}}}')
    assert "data" not in ghz_options(options)
