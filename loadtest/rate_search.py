"""The highest rate that holds an objective: doubling until it is missed, then halving the gap.

Each trial is an open loop at one rate, so that a server that falls behind shows in the latency from the
intended start instead of slowing the load down. A rate that the sending side itself cannot reach counts as
missed and the report states it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from loadtest.options import LoadOptions
from loadtest.report import Report, measured_of, now, report_of
from loadtest.results import Results
from loadtest.run import run
from loadtest.slo import Verdict, judge, parse_slo

_REACHED = 0.95


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate tried, requests per second."""

    rate: int
    held: bool
    why: str


def search_rates(
    start: int, limit: int, trials: int, precision: float, holds: Callable[[int], bool]
) -> tuple[int, bool]:
    """The highest rate found for which `holds`, 0 for none; and whether it is known to within `precision`.

    Calls `holds` at most `trials` times, never for a rate above `limit` and never twice for one rate.
    """
    good, bad, rate = 0, limit + 1, start
    for _ in range(trials):
        if holds(rate):
            good = rate
            if rate == limit:
                return good, True
        else:
            bad = rate
        if bad > limit:
            rate = min(limit, rate * 2)
        else:
            if bad - good <= max(1, precision * good):
                return good, True
            rate = (good + bad) // 2
    return good, bad - good <= max(1, precision * good)


def find_max_rate(
    options: LoadOptions, progress: Callable[[str], None], run_test: Callable[[LoadOptions], Results] = run
) -> Report:
    """Searches, and reports the trial at the highest rate that held, else the last trial.

    `search` of the report lists all trials. A cancelled trial ends the search. Raises LoadTestError where a
    trial cannot run.
    """
    clauses = parse_slo(options.slo)
    tried: list[Trial] = []
    reports: dict[int, Report] = {}
    cancelled = False

    def holds(rate: int) -> bool:
        nonlocal cancelled
        if cancelled:
            return False
        trial = trial_options(options, rate)
        results = run_test(trial)
        verdicts = judge(clauses, measured_of(trial, results)) + _reached(rate, results)
        report = replace(report_of(trial, results, now()), verdicts=verdicts)
        reports[rate] = report
        cancelled = report.end_reason == "cancel"
        missed = [f"{each.clause} measured {each.measured}" for each in verdicts if not each.held]
        if cancelled:
            missed = ["cancelled"]
        tried.append(Trial(rate, not missed, "; ".join(missed)))
        progress(f"{rate}/s {'held' if not missed else 'missed: ' + tried[-1].why}")
        return not missed

    best, known = search_rates(
        options.search_start, options.search_limit, options.search_trials, options.search_precision, holds
    )
    chosen = reports[best] if best else reports[tried[-1].rate]
    search: dict[str, Any] = {
        "maxRate": best,
        "withinPrecision": known and not cancelled,
        "trials": [{"rate": trial.rate, "held": trial.held, "why": trial.why} for trial in tried],
    }
    reason = "cancel" if cancelled else chosen.end_reason
    return replace(chosen, search=search, end_reason=reason)


def trial_options(options: LoadOptions, rate: int) -> LoadOptions:
    """The open-loop test of one rate."""
    schedule = "poisson" if options.load_schedule == "poisson" else "const"
    return replace(
        options,
        find_max_rate=False,
        run_async=True,
        rps=rate,
        load_schedule=schedule,
        duration=options.search_duration,
        max_duration=0,
        duration_stop="wait",
    )


def _reached(rate: int, results: Results) -> tuple[Verdict, ...]:
    """Whether the requests of the trial were begun at its rate."""
    seconds = max(1, results.finished_ns - results.began_ns) / 1e9
    if not len(results.started_ns):
        return ()
    begun = int(results.started_ns.max()) - results.began_ns
    reached = results.count / max(min(seconds, begun / 1e9), 1e-9)
    if results.count < 20 or reached >= _REACHED * rate:
        return ()
    return (Verdict(f"offered rate of {rate}/s", False, f"{reached:.0f}/s were sent"),)
