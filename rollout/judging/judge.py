"""Judges a candidate version against a concurrent baseline group of the same size.

Both groups are drawn by the same hash at the same time, so that hour, campaign and outage affect both alike
(Davidovič and Beyer 2018, Canary Analysis Service, ACM Queue 16(1)). The judge has no state: its results
follow from the statistics counted since the groups began, and it may be called as often as needed.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout.arm_statistics import ArmStatistics
from rollout.judging import check_distributions, check_rates
from rollout.judging.check_context import CheckContext
from rollout.judging.check_pages import pages as check_pages
from rollout.judging.check_results import Check, CheckResults
from rollout.judging.settings import CheckSettings, JudgeSettings
from rollout.overlap import Overlap
from rollout.page_counts import PageCounts


def judge(
    candidate: ArmStatistics,
    baseline: ArmStatistics,
    overlap: Overlap | None,
    settings: JudgeSettings,
    pages: PageCounts | None = None,
) -> CheckResults:
    """Compares the candidate with the baseline in every enabled check.

    In shadow shoppers see the stable version's pages, so only errors, latency, scores, their drift, the mean
    overlap and single requests are checked; otherwise all but the mean overlap. One score of the candidate
    that is NaN or infinite fails it at once.

    Args:
        candidate: counted since its group began.
        baseline: counted over the same time.
        overlap: in shadow, where every request is scored by both versions and answered by the stable one;
            None where shoppers see the candidate's answers.
        settings: thresholds.
        pages: requests that both versions scored, one by one; None where none are, and then they are not
            checked.
    """
    arms = (candidate, baseline)
    checks: dict[str, tuple[CheckSettings, Callable[[CheckContext], Check]]] = {
        "errors": (
            settings.errors,
            lambda context: check_rates.rate("errors", *arms, settings.errors, context),
        ),
        "latency": (
            settings.latency,
            lambda context: check_distributions.latency(*arms, settings.latency, context),
        ),
        "drift": (settings.drift, lambda context: check_distributions.drift(*arms, settings.drift, context)),
    }
    if pages is not None:
        checks["pages"] = (settings.pages, lambda context: check_pages(pages, settings.pages, context))
    if overlap is not None:
        checks["overlap"] = (
            settings.overlap,
            lambda context: check_distributions.overlap(overlap, settings.overlap, context),
        )
    else:
        checks |= {
            "degraded": (
                settings.degraded,
                lambda context: check_rates.rate("degraded", *arms, settings.degraded, context),
            ),
            "empty": (
                settings.empty,
                lambda context: check_rates.rate("empty", *arms, settings.empty, context),
            ),
            "short": (
                settings.short,
                lambda context: check_rates.rate("short", *arms, settings.short, context),
            ),
            "dissatisfied": (
                settings.dissatisfied,
                lambda context: check_rates.rate("dissatisfied", *arms, settings.dissatisfied, context),
            ),
            "ctr": (settings.ctr, lambda context: check_rates.feedback("ctr", *arms, settings.ctr, context)),
            "cvr": (settings.cvr, lambda context: check_rates.feedback("cvr", *arms, settings.cvr, context)),
        }
    enabled = {name: check for name, check in checks.items() if check[0].enabled}
    if not enabled:
        return CheckResults.of([check_distributions.finite_scores(*arms, settings.min_requests)])
    context = CheckContext(
        alpha=settings.alpha / len(enabled),
        min_requests=settings.min_requests,
        requests=(candidate.requests, baseline.requests),
        min_users=settings.min_users,
        users=(candidate.users, baseline.users),
    )
    return CheckResults.of(
        [
            check_distributions.finite_scores(*arms, settings.min_requests),
            *(check(context) for _, check in enabled.values()),
        ]
    )
