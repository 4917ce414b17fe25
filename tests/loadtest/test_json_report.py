"""The JSON report: ghz's structures as a schema, and what stands beside them."""

import json
from dataclasses import replace

import jsonschema
import pytest

from loadtest.options import LoadOptions
from loadtest.printers import printed
from loadtest.report import report_of
from loadtest.results import Results
from loadtest.slo import Verdict
from tests.loadtest.sample_reports import DATE, GHZ_OPTIONS, results

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
