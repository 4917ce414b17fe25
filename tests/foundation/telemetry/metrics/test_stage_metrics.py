import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from foundation.telemetry.metrics import ProcessMetrics, PrometheusStageMetrics, stage_metrics
from foundation.telemetry.metrics.process_metrics import STAGE_BUCKETS
from foundation.telemetry.metrics.queue_metrics import QueueMetrics
from pipeline.trace import StageRecord
from protos.shopfront.v1 import event_pb2
from router.engine.snapshot_metrics import SnapshotMetrics
from router.events.event_metrics import EventMetrics
from server.request_metrics import RequestMetrics
from state.metrics import StateMetrics
from state.store import StoreStatus


def value(metrics: ProcessMetrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"shopfront_{name}", labels)


def test_a_stage_is_counted_with_its_time_outcome_and_what_it_removed() -> None:
    metrics = ProcessMetrics()
    observed = PrometheusStageMetrics(metrics)
    record = StageRecord("filter:adult", 300, 290, {"adult": 10}, 1.0, 2.0, "ok", "")
    observed.stage("home", record)
    observed.stage("home", record)
    observed.stage("home", StageRecord("ranking", 290, 290, {}, 3.0, 40.0, "timeout", "late"))
    observed.flush()
    place = {"scene": "home", "stage": "filter:adult"}
    assert value(metrics, "stage_outcomes_total", **place, outcome="ok") == 2
    assert value(metrics, "stage_outcomes_total", scene="home", stage="ranking", outcome="timeout") == 1
    assert value(metrics, "stage_seconds_sum", **place) == 0.004
    assert value(metrics, "stage_candidates_in_total", **place) == 600
    assert value(metrics, "stage_candidates_out_total", **place) == 580
    assert value(metrics, "candidates_removed_total", **place, reason="adult") == 20
    observed.stage("home", record)
    observed.flush()
    observed.flush()
    assert value(metrics, "stage_outcomes_total", **place, outcome="ok") == 3


@given(st.lists(st.one_of(st.floats(0, 3), st.sampled_from(STAGE_BUCKETS)), min_size=1, max_size=50))
def test_times_added_up_are_those_observed_one_by_one(seconds: list[float]) -> None:
    metrics, alone = ProcessMetrics(), CollectorRegistry()
    observed = PrometheusStageMetrics(metrics)
    histogram = Histogram("alone", "One by one.", buckets=STAGE_BUCKETS, registry=alone)
    for value_s in seconds:
        record = StageRecord("ranking", 1, 1, {}, 0.0, value_s * 1000.0, "ok", "")
        observed.stage("home", record)
        histogram.observe(record.elapsed_ms / 1000.0)
    observed.flush()
    place = {"scene": "home", "stage": "ranking"}
    for bound in [*map(str, STAGE_BUCKETS), "+Inf"]:
        found = value(metrics, "stage_seconds_bucket", **place, le=bound)
        assert found is not None
        assert found == alone.get_sample_value("alone_bucket", {"le": bound})
    assert value(metrics, "stage_seconds_sum", **place) == pytest.approx(
        alone.get_sample_value("alone_sum"), abs=1e-12
    )


def test_counts_are_written_without_being_asked_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_metrics, "FLUSH_S", 0.001)
    metrics = ProcessMetrics()
    observed = PrometheusStageMetrics(metrics)
    record = StageRecord("fusion", 2, 1, {}, 0.0, 0.1, "ok", "")

    def observe() -> None:
        for _ in range(2_000):
            observed.stage("home", record)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(observe) for _ in range(4)]:
            done.result()
    deadline = time.monotonic() + 30
    while value(metrics, "stage_candidates_in_total", scene="home", stage="fusion") != 16_000:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert value(metrics, "stage_seconds_count", scene="home", stage="fusion") == 8_000


def test_pages_and_side_effects_are_counted() -> None:
    metrics = ProcessMetrics()
    observed = PrometheusStageMetrics(metrics)
    observed.page("home", 20, 18, ("ranking", "channel:mind"))
    observed.page("home", 20, 20, ())
    observed.side_effect("home", "impressions", "ok", 3.0)
    observed.side_effect("home", "impressions", "dropped", 0.0)
    observed.flush()
    assert value(metrics, "page_slots_wanted_total", scene="home") == 40
    assert value(metrics, "page_slots_filled_total", scene="home") == 38
    assert value(metrics, "degraded_answers_total", scene="home", part="ranking") == 1
    assert value(metrics, "side_effects_total", name="impressions", outcome="dropped") == 1
    assert value(metrics, "side_effect_seconds_count", name="impressions") == 1


def test_requests_events_and_queues_are_counted() -> None:
    metrics = ProcessMetrics()
    requests, queues = metrics.group(RequestMetrics), metrics.group(QueueMetrics)
    requests.observe("Recommend", "home", "OK", 0.012)
    requests.observe("Recommend", "", "INVALID_ARGUMENT", 0.001)
    errors = [event_pb2.EventError(field=field) for field in ("price", "price", "type")]
    metrics.group(EventMetrics).observe(
        event_pb2.ReportEventsResponse(accepted=5, unknown_items=2, errors=errors), {"item": 4}
    )
    queues.set_depth("state_events", 7)
    queues.set_depth("state_events", 3)
    assert value(metrics, "requests_total", method="Recommend", scene="home", code="OK") == 1
    assert value(metrics, "request_seconds_bucket", method="Recommend", scene="home", le="0.015") == 1
    assert value(metrics, "events_total", outcome="accepted") == 5
    assert value(metrics, "events_total", outcome="refused") == 3
    assert value(metrics, "events_refused_total", field="price") == 2
    assert value(metrics, "events_unknown_item_total") == 2
    assert value(metrics, "events_uncredited_total", reason="item") == 4
    assert value(metrics, "queue_depth", queue="state_events") == 3


def test_the_text_form_is_whole() -> None:
    metrics = ProcessMetrics()
    metrics.group(SnapshotMetrics).loads["refused",].inc()
    text = generate_latest(metrics.registry).decode()
    assert 'shopfront_snapshot_loads_total{result="refused"} 1.0' in text


def test_the_stores_counts_since_opening_become_counters() -> None:
    metrics = ProcessMetrics()
    observed = StateMetrics(metrics)
    observed.observe(StoreStatus(5, 8, 1, 2, 3))
    assert value(metrics, "state_available") == 1
    observed.observe(StoreStatus(0, 4, 1, 4, 6, failed_reads=2, available=False))
    assert value(metrics, "queue_depth", queue="state_events") == 0
    assert value(metrics, "queue_depth", queue="state_impressions") == 4
    assert value(metrics, "served_items_dropped_total") == 1
    assert value(metrics, "events_repeated_total") == 4
    assert value(metrics, "state_commits_total") == 6
    assert value(metrics, "state_reads_failed_total") == 2
    assert value(metrics, "state_available") == 0
