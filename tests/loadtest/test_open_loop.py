"""Schedules against a real server: what a stall does to latencies, and what an objective makes of it."""

import threading
import time

import pytest

from loadtest.errors import LoadTestError
from loadtest.report import measured_of, now, report_of
from loadtest.run import run
from loadtest.slo import judge, parse_slo
from tests.loadtest.greeter import Greeter, greeter

pytestmark = pytest.mark.slow


def percentile(report, which: str, percentage: float) -> int:
    (found,) = [each.latency for each in getattr(report, which) if each.percentage == percentage]
    return found


def test_a_stall_shows_in_latency_from_the_intended_start_and_hides_in_latency_from_the_start() -> None:
    """One worker, 200 requests at 200/s, the server stalls once for 400 ms: 80 requests should have begun
    meanwhile.
    """
    with greeter(workers=1) as server:
        data = [{"name": "x", "delay_ms": 400 if number == 20 else 0} for number in range(200)]
        options = server.options(data=data, rps=200, total=200, concurrency=1)
        report = report_of(options, run(options, on_signals=False), now())
    # A closed loop saw one slow request of 200: its 99th percentile lies below the stall.
    assert percentile(report, "service", 99.0) < 200_000_000
    # A caller who came at random saw the stall in more than a third of the cases.
    assert percentile(report, "response", 75.0) > 50_000_000
    assert percentile(report, "response", 99.0) > 300_000_000
    assert judge(parse_slo("p99=200ms"), measured_of(options, report.results))[0].held is False


def test_an_open_loop_sends_whatever_is_unanswered(server: Greeter) -> None:
    closed = server.options(data={"delay_ms": 150}, rps=100, total=20, concurrency=1, duration_stop="ignore")
    begun = time.monotonic()
    results = run(server.options(**{**_fields(closed), "run_async": True}), on_signals=False)
    assert results.count == 20
    assert time.monotonic() - begun < 20 * 0.15
    starts = results.started_ns - results.intended_ns
    assert sorted(starts)[10] < 50_000_000


def test_requests_that_found_no_slot_before_the_end_are_counted_and_miss_an_objective(
    server: Greeter,
) -> None:
    options = server.options(
        data={"delay_ms": 100}, rps=100, concurrency=1, duration=300_000_000, duration_stop="wait"
    )
    results = run(options, on_signals=False)
    assert results.unsent > 10
    assert results.count + results.unsent == 30
    (verdict,) = judge(parse_slo("errors=1%"), measured_of(options, results))
    assert not verdict.held


@pytest.mark.parametrize("schedule", ["const", "poisson"])
def test_a_schedule_sends_as_many_as_it_says(server: Greeter, schedule: str) -> None:
    options = server.options(
        rps=400, duration=500_000_000, load_schedule=schedule, seed=5, duration_stop="wait", cpus=2
    )
    results = run(options, on_signals=False)
    assert results.count + results.unsent == pytest.approx(200, abs=50 if schedule == "poisson" else 0)
    assert (results.started_ns >= results.intended_ns).all()


def test_a_step_schedule_raises_the_rate(server: Greeter) -> None:
    options = server.options(
        load_schedule="step",
        load_start=50,
        load_step=100,
        load_end=250,
        load_step_duration=200_000_000,
        duration=600_000_000,
        duration_stop="wait",
    )
    results = run(options, on_signals=False)
    assert results.count + results.unsent == 10 + 30 + 50


def test_a_concurrency_schedule_lets_more_and_more_requests_be_under_way(server: Greeter) -> None:
    options = server.options(
        data={"delay_ms": 50},
        concurrency_schedule="step",
        concurrency_start=1,
        concurrency_step=3,
        concurrency_end=7,
        concurrency_step_duration=200_000_000,
        duration=600_000_000,
    )
    results = run(options, on_signals=False)
    offsets = results.started_ns - results.began_ns
    under_way = [
        int(((offsets <= at) & (results.ended_ns - results.began_ns > at)).sum())
        for at in (150_000_000, 350_000_000, 550_000_000)
    ]
    assert under_way[0] <= 1
    assert 1 < under_way[1] <= 4
    assert 4 < under_way[2] <= 7


def test_a_server_that_vanishes_fails_its_calls_and_the_test_goes_on() -> None:
    with greeter() as server:
        options = server.options(rps=50, duration=1_000_000_000, run_async=True, data={"name": "x"})
        stopped = threading.Event()

        def stop() -> None:
            time.sleep(0.4)
            stopping.__exit__(None, None, None)
            stopped.set()

        stopping = greeter()
        vanishing = stopping.__enter__()
        thread = threading.Thread(target=stop)
        thread.start()
        results = run(vanishing.options(**_fields(options, "host")), on_signals=False)
        thread.join()
    assert results.status_counts[0] >= 10
    assert results.status_counts[14] >= 10
    assert results.reason == "timeout"


def test_asynchronous_without_a_rate_is_refused(server: Greeter) -> None:
    with pytest.raises(LoadTestError, match="--async sends on schedule"):
        run(server.options(run_async=True), on_signals=False)


def _fields(options, *without: str) -> dict[str, object]:
    return {name: getattr(options, name) for name in options.__slots__ if name not in without}
