import pytest
from prometheus_client import CollectorRegistry, Histogram, Summary, generate_latest, start_http_server

from loadtest.errors import LoadTestError
from loadtest.server_metrics import during, read_metrics, totals
from loadtest.stages import server_timing


def test_means_are_of_what_was_observed_between_two_readings() -> None:
    registry = CollectorRegistry()
    stage = Histogram("stage_seconds", "", ["stage"], registry=registry)
    size = Summary("page_items", "", registry=registry)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        stage.labels("recall").observe(100.0)
        before = read_metrics(url)
        stage.labels("recall").observe(2.0)
        stage.labels("recall").observe(4.0)
        stage.labels("ranking").observe(1.0)
        size.observe(20)
        observed = during(before, read_metrics(url))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert observed == {
        'stage_seconds{stage="ranking"}': {"mean": 1.0, "count": 1.0},
        'stage_seconds{stage="recall"}': {"mean": 3.0, "count": 2.0},
        "page_items": {"mean": 20.0, "count": 1.0},
    }


def test_a_series_that_was_reset_counts_from_its_reset() -> None:
    registry = CollectorRegistry()
    Summary("s", "", registry=registry).observe(4)
    assert during({"s": (900.0, 50.0)}, totals(generate_latest(registry).decode())) == {
        "s": {"mean": 4.0, "count": 1.0}
    }


@pytest.mark.parametrize("url", ["file:///etc/hosts", "127.0.0.1:9108", "http://127.0.0.1:1/metrics"])
def test_an_address_that_gives_no_metrics_is_named(url: str) -> None:
    with pytest.raises(LoadTestError, match="--server-metrics"):
        read_metrics(url)


def test_server_timing_is_read_as_w3c_writes_it() -> None:
    assert server_timing('cdn-cache; desc="HIT, near", db;dur=53.2, app;desc=x;dur="47.2", miss') == [
        ("db", 53.2),
        ("app", 47.2),
    ]
