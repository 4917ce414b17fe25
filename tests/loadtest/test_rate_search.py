from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.latency_histogram import LatencyHistogram
from loadtest.options import LoadOptions
from loadtest.rate_search import find_max_rate, search_rates
from loadtest.results import Results


@given(
    st.integers(1, 2_000), st.integers(1, 50_000), st.integers(0, 60_000), st.sampled_from([0.01, 0.05, 0.2])
)
def test_the_highest_rate_is_found_in_few_trials(
    start: int, limit: int, capacity: int, precision: float
) -> None:
    start = min(start, limit)
    asked: list[int] = []

    def holds(rate: int) -> bool:
        asked.append(rate)
        return rate <= capacity

    best, known = search_rates(start, limit, 60, precision, holds)
    assert known
    assert best <= capacity
    assert min(capacity, limit) - best <= max(1, precision * best) or best == limit
    assert len(asked) == len(set(asked)) <= 40
    assert max(asked) <= limit


@given(st.integers(1, 100), st.integers(1, 6))
def test_no_more_trials_are_made_than_allowed(capacity: int, trials: int) -> None:
    asked: list[int] = []
    search_rates(1, 10**6, trials, 0.01, lambda rate: asked.append(rate) is None and rate <= capacity)
    assert len(asked) <= trials


def results(options: LoadOptions, latency_ms: float, reason: str = "timeout") -> Results:
    count = options.rps * options.duration // 10**9
    started = (np.arange(count) * (10**9 / options.rps)).astype(np.int64)
    ended = started + int(latency_ms * 1e6)
    return Results(
        intended_ns=started,
        started_ns=started,
        ended_ns=ended,
        status=np.zeros(count, np.uint8),
        error=np.full(count, -1, np.int32),
        errors=[],
        count=count,
        latency_sum_ns=int((ended - started).sum()),
        status_counts=Counter({0: count}),
        error_counts=Counter(),
        service=LatencyHistogram(),
        response=LatencyHistogram(),
        finished_ns=options.duration,
        reason=reason,
    )


OPTIONS = LoadOptions(
    host="h:1",
    call="a.B/C",
    slo="p99=10ms,errors=1%",
    find_max_rate=True,
    search_duration=10**9,
    search_start=100,
)


def test_the_report_lists_every_trial_and_is_that_of_the_best() -> None:
    lines: list[str] = []
    report = find_max_rate(OPTIONS, lines.append, lambda trial: results(trial, 5 if trial.rps <= 730 else 50))
    assert report.search is not None
    assert 690 <= report.search["maxRate"] <= 730
    assert report.search["withinPrecision"]
    assert report.options["rps"] == report.search["maxRate"]
    assert report.options["async"] is True
    assert report.held
    missed = [trial for trial in report.search["trials"] if not trial["held"]]
    assert missed[0] == {"rate": 800, "held": False, "why": "p99=10ms measured 50.00 ms"}
    assert len(lines) == len(report.search["trials"])


def test_where_no_rate_holds_the_report_says_so() -> None:
    report = find_max_rate(OPTIONS, lambda line: None, lambda trial: results(trial, 50))
    assert report.search is not None
    assert report.search["maxRate"] == 0
    assert not report.held


def test_a_rate_that_was_not_sent_does_not_hold() -> None:
    def half(trial: LoadOptions) -> Results:
        sent = results(trial, 1)
        sent.started_ns = sent.started_ns * 2
        sent.ended_ns = sent.started_ns + 10**6
        sent.intended_ns = sent.started_ns
        sent.finished_ns *= 2
        return sent

    report = find_max_rate(OPTIONS, lambda line: None, half)
    assert report.search is not None
    assert "offered rate" in report.search["trials"][0]["why"]


def test_a_cancelled_trial_ends_the_search() -> None:
    made = []

    def cancelled(trial: LoadOptions) -> Results:
        made.append(trial.rps)
        return results(trial, 1, "cancel" if len(made) == 2 else "timeout")

    report = find_max_rate(OPTIONS, lambda line: None, cancelled)
    assert report.end_reason == "cancel"
    assert len(made) == 2


def test_the_limit_is_the_answer_where_everything_holds() -> None:
    assert search_rates(100, 1_000, 20, 0.05, lambda rate: True) == (1_000, True)
    with pytest.raises(ZeroDivisionError):
        search_rates(100, 1_000, 20, 0.05, lambda rate: 1 // 0 > 0)
