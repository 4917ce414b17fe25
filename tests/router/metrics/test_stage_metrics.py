from prometheus_client import generate_latest

from router.metrics import PrometheusStageMetrics, RouterMetrics, StateMetrics
from router.pipeline.trace import StageRecord
from router.state.store import StoreStatus


def value(metrics: RouterMetrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"shopfront_{name}", labels)


def test_a_stage_is_counted_with_its_time_outcome_and_what_it_removed() -> None:
    metrics = RouterMetrics()
    observed = PrometheusStageMetrics(metrics)
    record = StageRecord("filter:adult", 300, 290, {"adult": 10, "gone": 0}, 1.0, 2.0, "ok", "")
    observed.stage("home", record)
    observed.stage("home", record)
    observed.stage("home", StageRecord("ranking", 290, 290, {}, 3.0, 40.0, "timeout", "late"))
    place = {"scene": "home", "stage": "filter:adult"}
    assert value(metrics, "stage_outcomes_total", **place, outcome="ok") == 2
    assert value(metrics, "stage_outcomes_total", scene="home", stage="ranking", outcome="timeout") == 1
    assert value(metrics, "stage_seconds_sum", **place) == 0.004
    assert value(metrics, "stage_seconds_bucket", **place, le="0.001") == 0
    assert value(metrics, "stage_seconds_bucket", **place, le="0.0025") == 2
    assert value(metrics, "stage_candidates_in_total", **place) == 600
    assert value(metrics, "stage_candidates_out_total", **place) == 580
    assert value(metrics, "candidates_removed_total", **place, reason="adult") == 20
    assert value(metrics, "candidates_removed_total", **place, reason="gone") is None


def test_pages_and_side_effects_are_counted() -> None:
    metrics = RouterMetrics()
    observed = PrometheusStageMetrics(metrics)
    observed.page("home", 20, 18, ("ranking", "channel:mind"))
    observed.page("home", 20, 20, ())
    observed.side_effect("home", "impressions", "ok", 3.0)
    observed.side_effect("home", "impressions", "dropped", 0.0)
    assert value(metrics, "page_slots_wanted_total", scene="home") == 40
    assert value(metrics, "page_slots_filled_total", scene="home") == 38
    assert value(metrics, "degraded_answers_total", scene="home", part="ranking") == 1
    assert value(metrics, "side_effects_total", name="impressions", outcome="dropped") == 1
    assert value(metrics, "side_effect_seconds_count", name="impressions") == 1


def test_requests_events_and_queues_are_counted() -> None:
    metrics = RouterMetrics()
    metrics.observe_request("Recommend", "home", "OK", 0.012)
    metrics.observe_request("Recommend", "", "INVALID_ARGUMENT", 0.001)
    metrics.observe_events(5, 2, ["price", "price", "type"])
    metrics.set_queue_depth("state_events", 7)
    metrics.set_queue_depth("state_events", 3)
    assert value(metrics, "requests_total", method="Recommend", scene="home", code="OK") == 1
    assert value(metrics, "request_seconds_bucket", method="Recommend", scene="home", le="0.015") == 1
    assert value(metrics, "events_total", outcome="accepted") == 5
    assert value(metrics, "events_total", outcome="refused") == 3
    assert value(metrics, "events_refused_total", field="price") == 2
    assert value(metrics, "events_unknown_item_total") == 2
    assert value(metrics, "queue_depth", queue="state_events") == 3


def test_the_text_form_is_whole() -> None:
    metrics = RouterMetrics()
    metrics.snapshot_loads["refused",].inc()
    text = generate_latest(metrics.registry).decode()
    assert 'shopfront_snapshot_loads_total{result="refused"} 1.0' in text


def test_the_stores_counts_since_opening_become_counters() -> None:
    metrics = RouterMetrics()
    observed = StateMetrics(metrics)
    observed.observe(StoreStatus(5, 8, 1, 2, 3))
    observed.observe(StoreStatus(0, 4, 1, 4, 6))
    assert value(metrics, "queue_depth", queue="state_events") == 0
    assert value(metrics, "queue_depth", queue="state_impressions") == 4
    assert value(metrics, "served_items_dropped_total") == 1
    assert value(metrics, "events_repeated_total") == 4
    assert value(metrics, "state_commits_total") == 6
