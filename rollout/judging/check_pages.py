"""The judge's check of single requests: in how many do the versions differ too much, in all and by group?

An average hides a fault that concerns few: a version that inverts the order for 8 % of the shoppers keeps
more than nine tenths of the mean overlap. So requests are counted that are beyond bounds which good
retrainings seldom pass, and shares of them are tested.
"""

from __future__ import annotations

import math

from foundation.statistics import sequential
from rollout.judging.check_context import CheckContext
from rollout.judging.check_results import Check
from rollout.judging.design_effect import Clusters, Totals, design_effect, effective
from rollout.judging.settings import PageCheckSettings
from rollout.page_counts import PageCounts

FAMILY = 32
"""Groups among which the chance of error is divided at least: those seen first have no larger part of it."""
_MIN_CLUSTERS = 8
_NAMED = 5


def pages(observed: PageCounts, settings: PageCheckSettings, context: CheckContext) -> Check:
    """Whether too many requests, or too many of one group, are beyond the bounds.

    Half of the chance of error goes to all requests together and half to the groups, divided among these by
    Holm's method (1979): the group with the strongest evidence is held against 1/m of it, the next one
    against 1/(m − 1), … The evidence of each is an e-process, whose inverse is a p-value that is valid at any
    time, so the whole holds however often it is looked at.
    """
    name, required = "pages", settings.required
    if not observed.count:
        return Check(name, "inconclusive", "no request was scored by both", {}, required)
    share = observed.outside / observed.count
    figures = {
        "requests": float(observed.count),
        "outside": share,
        "tolerated": settings.share,
        **{f"outside_{bound}": count / observed.count for bound, count in observed.by_bound.items()},
    }
    if observed.outside > observed.count:
        reason = f"{observed.outside:,} of {observed.count:,} requests are too different, which cannot be"
        return Check(name, "error", reason, {"requests": figures["requests"]}, required)
    if (few := context.too_few_users()) is not None:
        return Check(name, "inconclusive", few, figures, required)
    outside, requests = observed.whole
    rate = effective(outside, requests, design_effect([(outside, requests)]))
    low, high = sequential.rate_bounds(rate, context.alpha / 2)
    figures |= {"outside_low": low, "outside_high": high}
    by_bound = ", ".join(f"{count:,} by {bound}" for bound, count in observed.by_bound.items() if count)
    reason = (
        f"the versions differ too much in {share:.1%} of {observed.count:,} requests, between {low:.1%} and "
        f"{high:.1%}, with {settings.share:.1%} tolerated" + (f" ({by_bound})" if by_bound else "")
    )
    failed, doubtful = judged_groups(observed, settings, context.alpha / 2)
    if failed or low > settings.share:
        return Check(name, "fail", reason + _listed(failed, settings), figures, required)
    if observed.count < settings.min_requests:
        reason += f"; {settings.min_requests:,} requests are needed"
        return Check(name, "inconclusive", reason, figures, required)
    if doubtful or high > settings.share:
        return Check(name, "inconclusive", reason + _listed(doubtful, settings), figures, required)
    return Check(name, "pass", reason, figures, required)


def judged_groups(
    observed: PageCounts, settings: PageCheckSettings, alpha: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Groups that are surely beyond `group_share`, and those that seem to be; name → share outside.

    alpha  chance that any group within its share is ever among the first
    """
    evidence: dict[str, float] = {}
    shares: dict[str, float] = {}
    for name, (outside, requests) in observed.groups.items():
        if requests.sum() < settings.group_min_requests or (requests > 0).sum() < _MIN_CLUSTERS:
            continue
        shares[name] = float(outside.sum() / requests.sum())
        evidence[name] = evidence_above(outside, requests, settings.group_share)
    family = max(FAMILY, len(evidence))
    failed: dict[str, float] = {}
    for position, name in enumerate(sorted(evidence, key=lambda name: -evidence[name])):
        if evidence[name] < math.log((family - position) / alpha):
            break
        failed[name] = shares[name]
    doubtful = {name: share for name, share in shares.items() if share > settings.group_share}
    return failed, {name: share for name, share in doubtful.items() if name not in failed}


def evidence_above(outside: Totals, requests: Clusters, tolerated: float) -> float:
    """Log e-process of the hypothesis that at most `tolerated` of the requests are outside; 0 if it seems so.

    outside, requests  [G], by cluster of shoppers
    """
    rate = effective(outside, requests, design_effect([(outside, requests)]))
    return sequential.log_evidence_of_rate(rate, tolerated) if rate.mean > tolerated else 0.0


def _listed(groups: dict[str, float], settings: PageCheckSettings) -> str:
    if not groups:
        return ""
    worst = sorted(groups.items(), key=lambda group: -group[1])
    named = ", ".join(f"{share:.0%} of {name}" for name, share in worst[:_NAMED])
    more = f" and {len(worst) - _NAMED} groups more" if len(worst) > _NAMED else ""
    return f"; {named}{more}, with {settings.group_share:.0%} of a group tolerated"
