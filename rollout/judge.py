"""Judges a candidate version against a concurrent baseline group of the same size.

Both groups are drawn by the same hash at the same time, so that hour, campaign and outage weigh on both alike
(Davidovič and Beyer 2018, Canary Analysis Service, ACM Queue 16(1)). The judge keeps no memory: what it says
follows from the statistics gathered since the groups began, and it may be asked as often as one likes.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout import judge_distributions, judge_rates
from rollout.judge_settings import CheckSettings, JudgeSettings
from rollout.judged import Judged
from rollout.judgement import Check, Judgement
from rollout.overlap import Overlap
from rollout.statistics import ArmStatistics


def judge(
    candidate: ArmStatistics,
    baseline: ArmStatistics,
    overlap: Overlap | None,
    settings: JudgeSettings,
) -> Judgement:
    """What is to be thought of the candidate by now.

    candidate, baseline  gathered over the same time, each since its group began
    overlap              in shadow, where every request is scored by both versions and answered by the stable
                         one; None where shoppers see the candidate's answers

    In shadow the page and what shoppers do with it are the stable version's, so errors, latency, scores,
    their drift and the overlap are judged; otherwise all but the overlap. A score of the candidate that is no
    number fails it at once.
    """
    arms = (candidate, baseline)
    checks: dict[str, tuple[CheckSettings, Callable[[Judged], Check]]] = {
        "errors": (
            settings.errors,
            lambda judged: judge_rates.rate("errors", *arms, settings.errors, judged),
        ),
        "latency": (
            settings.latency,
            lambda judged: judge_distributions.latency(*arms, settings.latency, judged),
        ),
        "drift": (settings.drift, lambda judged: judge_distributions.drift(*arms, settings.drift, judged)),
    }
    if overlap is not None:
        checks["overlap"] = (
            settings.overlap,
            lambda judged: judge_distributions.overlap(overlap, settings.overlap, judged),
        )
    else:
        checks |= {
            "degraded": (
                settings.degraded,
                lambda judged: judge_rates.rate("degraded", *arms, settings.degraded, judged),
            ),
            "empty": (
                settings.empty,
                lambda judged: judge_rates.rate("empty", *arms, settings.empty, judged),
            ),
            "short": (
                settings.short,
                lambda judged: judge_rates.rate("short", *arms, settings.short, judged),
            ),
            "ctr": (settings.ctr, lambda judged: judge_rates.feedback("ctr", *arms, settings.ctr, judged)),
            "cvr": (settings.cvr, lambda judged: judge_rates.feedback("cvr", *arms, settings.cvr, judged)),
        }
    enabled = {name: check for name, check in checks.items() if check[0].enabled}
    if not enabled:
        return Judgement.of([judge_distributions.finite_scores(*arms, settings.min_requests)])
    judged = Judged(
        alpha=settings.alpha / len(enabled),
        min_requests=settings.min_requests,
        requests=(candidate.requests, baseline.requests),
        min_users=settings.min_users,
        users=(candidate.users, baseline.users),
    )
    return Judgement.of(
        [
            judge_distributions.finite_scores(*arms, settings.min_requests),
            *(check(judged) for _, check in enabled.values()),
        ]
    )
