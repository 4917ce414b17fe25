"""Reports against what ghz prints: its tests' line protocol, metrics and layout."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loadtest.options import FORMATS, LoadOptions
from loadtest.printers import printed
from loadtest.report import ghz_options, report_of
from tests.loadtest.sample_reports import DATE, GHZ_OPTIONS, NANOSECONDS, ghz_report, results

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


def test_influx_escapes_data_and_writes_seconds_as_go_does() -> None:
    options = replace(GHZ_OPTIONS, data={"name": "<a&b>"}, timeout=1_500_000_000, connect_timeout=10**16)
    line = printed(report_of(options, results([1.0]), DATE), "influx-summary")
    assert 'data="{\\"name\\":\\"\\\\u003ca\\\\u0026b\\\\u003e\\"}"' in line
    assert ",timeout=1.5,dial_timeout=10000000," in line


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


def test_data_from_a_file_stands_in_the_report_where_it_is_json(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('[{"name": "a"}]')
    options = LoadOptions(data_file=str(file), metadata_file=str(file))
    assert ghz_options(options)["data"] == [{"name": "a"}]
    file.write_text('{"name": {{.RequestNumber}}}')
    assert "data" not in ghz_options(options)
