"""The judge's checks of rates: outcomes of requests, and shoppers' reactions to what they are shown."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from foundation.statistics import sequential
from foundation.statistics.sequential import Line, Rate
from rollout.arm_statistics import ArmStatistics
from rollout.judging import relative_rates
from rollout.judging.check_context import CheckContext, concluded
from rollout.judging.check_results import Check, Verdict
from rollout.judging.design_effect import Clusters, design_effect, effective
from rollout.judging.settings import CheckSettings, FeedbackCheckSettings, RateCheckSettings

RateColumn = Literal["errors", "degraded", "empty", "short", "dissatisfied"]
FeedbackName = Literal["ctr", "cvr"]

_SUBJECTS: dict[RateColumn, str] = {
    "errors": "requests fail",
    "degraded": "answers are degraded",
    "empty": "answers are empty",
    "short": "answers are short",
    "dissatisfied": "ratings are below 4",
}
_FEEDBACK: dict[FeedbackName, Literal["clicks", "conversions"]] = {"ctr": "clicks", "cvr": "conversions"}


def rate(
    column: RateColumn,
    candidate: ArmStatistics,
    baseline: ArmStatistics,
    settings: RateCheckSettings,
    context: CheckContext,
) -> Check:
    """Whether a share of requests, or of ratings, rose by more than the margin."""
    arms = [(arm.by_cluster(column), _answered(arm, column)) for arm in (candidate, baseline)]
    figures = _rate_figures(arms)
    if (early := _early(column, settings, context, arms, figures)) is not None:
        return early
    rates = _effective(arms)
    line = Line(1.0, settings.margin)
    verdict = _verdict(
        sequential.log_evidence_above(*rates, line),
        sequential.log_evidence_below(*rates, line),
        context.alpha,
    )
    low, high = sequential.difference_bounds(*rates, context.alpha)
    figures |= {"difference_low": low, "difference_high": high, "margin": settings.margin}
    reason = (
        f"{figures['candidate']:.2%} of {figures['candidate_trials']:,.0f} {_SUBJECTS[column]} against "
        f"{figures['baseline']:.2%} of {figures['baseline_trials']:,.0f}: a change between {100 * low:+.2f} "
        f"and {100 * high:+.2f} points, with {100 * settings.margin:+.2f} tolerated"
    )
    return concluded(column, verdict, reason, figures, settings, context)


def feedback(
    name: FeedbackName,
    candidate: ArmStatistics,
    baseline: ArmStatistics,
    settings: FeedbackCheckSettings,
    context: CheckContext,
) -> Check:
    """Whether the rate of clicks or conversions per impression fell by more than the margin, relatively."""
    arms = [(arm.by_cluster(_FEEDBACK[name]), arm.by_cluster("impressions")) for arm in (candidate, baseline)]
    figures = _rate_figures(arms)
    if (early := _early(name, settings, context, arms, figures)) is not None:
        return early
    if not arms[0][0].sum() and not arms[1][0].sum():
        return Check(name, "inconclusive", f"no {_FEEDBACK[name]} were reported", figures, settings.required)
    rates = _effective(arms)
    tolerated = 1.0 - settings.margin
    scale = -math.log(tolerated)
    verdict = _verdict(
        relative_rates.log_evidence_of_fall(*rates, tolerated, scale),
        relative_rates.log_evidence_of_no_fall(*rates, tolerated, scale),
        context.alpha,
    )
    low, high = relative_rates.ratio_bounds(*rates, scale, context.alpha)
    figures |= {"ratio_low": low, "margin": settings.margin}
    if math.isfinite(high):
        figures["ratio_high"] = high
    reason = (
        f"{figures['candidate']:.3%} of {figures['candidate_trials']:,.0f} impressions against "
        f"{figures['baseline']:.3%} of {figures['baseline_trials']:,.0f}: between {low:.3g} and {high:.3g} "
        f"times the baseline's rate, with {tolerated:g} tolerated"
    )
    return concluded(name, verdict, reason, figures, settings, context)


def _answered(arm: ArmStatistics, column: RateColumn) -> Clusters:
    """Trials of a column: requests, ratings, or for what an answer is like, those that were answered."""
    if column == "dissatisfied":
        return arm.by_cluster("ratings")
    requests = arm.by_cluster("requests")
    return requests if column == "errors" else requests - arm.by_cluster("errors")


def _early(
    name: str,
    settings: CheckSettings,
    context: CheckContext,
    arms: list[tuple[Clusters, Clusters]],
    figures: dict[str, float],
) -> Check | None:
    """The verdict where rates cannot be compared."""
    for (successes, trials), whose in zip(arms, ("candidate", "baseline"), strict=True):
        if np.any(successes < 0) or np.any(trials < 0) or successes.sum() > trials.sum():
            reason = (
                f"the {whose} counted {int(successes.sum()):,} out of {int(trials.sum()):,}, which cannot be"
            )
            return Check(name, "error", reason, figures)
        if not trials.sum():
            return Check(name, "inconclusive", f"no data of the {whose}", figures, settings.required)
    if (few := context.too_few_users()) is not None:
        return Check(name, "inconclusive", few, figures, settings.required)
    return None


def _verdict(evidence_of_harm: float, evidence_of_none: float, alpha: float) -> Verdict:
    threshold = -math.log(alpha)
    if evidence_of_harm >= threshold:
        return "fail"
    return "pass" if evidence_of_none >= threshold else "inconclusive"


def _rate_figures(arms: list[tuple[Clusters, Clusters]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for (successes, trials), whose in zip(arms, ("candidate", "baseline"), strict=True):
        total = float(trials.sum())
        figures[f"{whose}_trials"] = total
        if total:
            figures[whose] = float(successes.sum()) / total
    return figures


def _effective(arms: list[tuple[Clusters, Clusters]]) -> tuple[Rate, Rate]:
    effect = design_effect(arms)
    candidate, baseline = (effective(successes, trials, effect) for successes, trials in arms)
    return candidate, baseline
