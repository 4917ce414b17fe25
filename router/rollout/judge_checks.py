"""The judge's checks, each a function from what both groups gathered to a `Check`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from router.rollout import drift as distances
from router.rollout import relative_rates, sequential
from router.rollout.clusters import Clusters, design_effect, effective
from router.rollout.judge_settings import (
    CheckSettings,
    DriftCheckSettings,
    FeedbackCheckSettings,
    LatencyCheckSettings,
    OverlapCheckSettings,
    RateCheckSettings,
)
from router.rollout.judgement import Check, Verdict
from router.rollout.latency_bounds import latency_effect, quantile_bounds_ms
from router.rollout.latency_histogram import quantile_ms
from router.rollout.sequential import Line, Rate
from router.rollout.statistics import ArmStatistics, Overlap

RateColumn = Literal["errors", "degraded", "empty", "short"]
FeedbackName = Literal["ctr", "cvr"]

_SUBJECTS: dict[RateColumn, str] = {
    "errors": "requests fail",
    "degraded": "answers are degraded",
    "empty": "answers are empty",
    "short": "answers are short",
}
_FEEDBACK: dict[FeedbackName, Literal["clicks", "conversions"]] = {"ctr": "clicks", "cvr": "conversions"}
_MIN_CLUSTERS = 16


@dataclass(frozen=True, slots=True)
class Judged:
    """What every check of one judgement shares; pairs are of candidate and baseline.

    alpha  chance of a wrong verdict of each kind that one check may take
    """

    alpha: float
    min_requests: int
    requests: tuple[int, int]
    min_users: int
    users: tuple[int, int]

    def too_few_users(self) -> str | None:
        """Why no verdict at all is possible yet; None where one is.

        A handful of shoppers may all be odd ones, and the spread between shoppers, which tells how odd, is
        not known from them.
        """
        if min(self.users) >= self.min_users:
            return None
        return f"{_pair(self.users)} shoppers in candidate and baseline; {self.min_users} are needed in each"

    def too_few_requests(self) -> str | None:
        """Why a pass is not possible yet; None where it is."""
        if min(self.requests) >= self.min_requests:
            return None
        return (
            f"{_pair(self.requests)} requests in candidate and baseline; {self.min_requests:,} are needed in "
            "each"
        )


def finite_scores(candidate: ArmStatistics, baseline: ArmStatistics, min_requests: int) -> Check:
    """Fails on the first score of the candidate that is NaN or infinite."""
    scored = int(candidate.scores.sum())
    figures = {
        "candidate_not_finite": float(candidate.scores_not_finite),
        "baseline_not_finite": float(baseline.scores_not_finite),
        "candidate_finite": float(scored),
    }
    if candidate.scores_not_finite:
        of = candidate.scores_not_finite + scored
        return Check("scores", "fail", f"{candidate.scores_not_finite:,} of {of:,} are no number", figures)
    if baseline.scores_not_finite:
        reason = (
            f"{baseline.scores_not_finite:,} scores of the baseline are no number: nothing to compare with"
        )
        return Check("scores", "error", reason, figures)
    if not scored or candidate.requests < min_requests:
        reason = f"{scored:,} scores in {candidate.requests:,} requests; {min_requests:,} requests are needed"
        return Check("scores", "inconclusive", reason, figures)
    return Check("scores", "pass", f"all {scored:,} are finite numbers", figures)


def rate(
    column: RateColumn,
    candidate: ArmStatistics,
    baseline: ArmStatistics,
    settings: RateCheckSettings,
    judged: Judged,
) -> Check:
    """Whether a share of requests rose by more than the margin."""
    arms = [(arm.by_cluster(column), _answered(arm, column)) for arm in (candidate, baseline)]
    figures = _rate_figures(arms)
    if (early := _early(column, settings, judged, arms, figures)) is not None:
        return early
    rates = _effective(arms)
    line = Line(1.0, settings.margin)
    verdict = _verdict(
        sequential.log_evidence_above(*rates, line),
        sequential.log_evidence_below(*rates, line),
        judged.alpha,
    )
    low, high = sequential.difference_bounds(*rates, judged.alpha)
    figures |= {"difference_low": low, "difference_high": high, "margin": settings.margin}
    reason = (
        f"{figures['candidate']:.2%} of {figures['candidate_trials']:,.0f} {_SUBJECTS[column]} against "
        f"{figures['baseline']:.2%} of {figures['baseline_trials']:,.0f}: a change between {100 * low:+.2f} "
        f"and {100 * high:+.2f} points, with {100 * settings.margin:+.2f} tolerated"
    )
    return _concluded(column, verdict, reason, figures, settings, judged)


def feedback(
    name: FeedbackName,
    candidate: ArmStatistics,
    baseline: ArmStatistics,
    settings: FeedbackCheckSettings,
    judged: Judged,
) -> Check:
    """Whether the rate of clicks or conversions per impression fell by more than the margin, relatively."""
    arms = [(arm.by_cluster(_FEEDBACK[name]), arm.by_cluster("impressions")) for arm in (candidate, baseline)]
    figures = _rate_figures(arms)
    if (early := _early(name, settings, judged, arms, figures)) is not None:
        return early
    if not arms[0][0].sum() and not arms[1][0].sum():
        return Check(name, "inconclusive", f"no {_FEEDBACK[name]} were reported", figures, settings.required)
    rates = _effective(arms)
    tolerated = 1.0 - settings.margin
    scale = -math.log(tolerated)
    verdict = _verdict(
        relative_rates.log_evidence_of_fall(*rates, tolerated, scale),
        relative_rates.log_evidence_of_no_fall(*rates, tolerated, scale),
        judged.alpha,
    )
    low, high = relative_rates.ratio_bounds(*rates, scale, judged.alpha)
    figures |= {"ratio_low": low, "margin": settings.margin}
    if math.isfinite(high):
        figures["ratio_high"] = high
    reason = (
        f"{figures['candidate']:.3%} of {figures['candidate_trials']:,.0f} impressions against "
        f"{figures['baseline']:.3%} of {figures['baseline_trials']:,.0f}: between {low:.3g} and {high:.3g} "
        f"times the baseline's rate, with {tolerated:g} tolerated"
    )
    return _concluded(name, verdict, reason, figures, settings, judged)


def latency(
    candidate: ArmStatistics, baseline: ArmStatistics, settings: LatencyCheckSettings, judged: Judged
) -> Check:
    """Whether a quantile of latency rose by more than its allowance."""
    if (few := judged.too_few_users()) is not None:
        return Check("latency", "inconclusive", few, {}, settings.required)
    by_cluster = (candidate.latency, baseline.latency)
    counts, counts_baseline = (part.sum(axis=0) for part in by_cluster)
    alpha = judged.alpha / len(settings.quantiles) / 2
    verdicts: list[Verdict] = []
    parts: list[str] = []
    figures: dict[str, float] = {}

    def tolerated(ms: float) -> float:
        return max(ms * settings.ratio, ms + settings.allowance_ms)

    for quantile in settings.quantiles:
        name = f"p{100 * quantile:g}"
        effect = latency_effect(by_cluster, quantile)
        low, high = quantile_bounds_ms(counts, quantile, alpha, effect)
        baseline_low, baseline_high = quantile_bounds_ms(counts_baseline, quantile, alpha, effect)
        if low > tolerated(baseline_high):
            verdicts.append("fail")
        elif high <= tolerated(baseline_low):
            verdicts.append("pass")
        else:
            verdicts.append("inconclusive")
        found, found_baseline = quantile_ms(counts, quantile), quantile_ms(counts_baseline, quantile)
        bounds = {
            f"{name}_candidate_ms": found,
            f"{name}_candidate_low_ms": low,
            f"{name}_candidate_high_ms": high,
            f"{name}_baseline_ms": found_baseline,
            f"{name}_baseline_low_ms": baseline_low,
            f"{name}_baseline_high_ms": baseline_high,
        }
        figures |= {key: value for key, value in bounds.items() if math.isfinite(value)}
        parts.append(
            f"{name} {found:.1f} ms ({low:.1f} to {high:.1f}) against {found_baseline:.1f} ms "
            f"({baseline_low:.1f} to {baseline_high:.1f})"
        )
    verdict: Verdict = "pass"
    for graver in ("fail", "inconclusive"):
        if graver in verdicts:
            verdict = graver
            break
    reason = (
        f"{', '.join(parts)}; {settings.ratio:g} times the baseline's or {settings.allowance_ms:g} ms more "
        "is tolerated"
    )
    return _concluded("latency", verdict, reason, figures, settings, judged)


def drift(
    candidate: ArmStatistics, baseline: ArmStatistics, settings: DriftCheckSettings, judged: Judged
) -> Check:
    """Whether the scores are distributed too far from the baseline's."""
    scores, scores_baseline = candidate.scores, baseline.scores
    clusters = min(int((part.sum(axis=1) > 0).sum()) for part in (scores, scores_baseline))
    figures = {"candidate_scores": float(scores.sum()), "baseline_scores": float(scores_baseline.sum())}
    few = judged.too_few_users()
    if few is None and clusters < _MIN_CLUSTERS:
        few = (
            f"{figures['candidate_scores']:,.0f} and {figures['baseline_scores']:,.0f} scores of too few "
            "shoppers in candidate and baseline"
        )
    if few is not None:
        return Check("drift", "inconclusive", few, figures, settings.required)
    information = max(1.0, min(judged.requests) / judged.min_requests)
    # Two distances share the check's chance of error, and each bound has two sides of which one counts.
    psi = distances.psi_distance(scores, scores_baseline, information, judged.alpha)
    ks = distances.ks_distance(scores, scores_baseline, information, judged.alpha)
    if psi.low > settings.psi or ks.low > settings.ks:
        verdict: Verdict = "fail"
    elif psi.high <= settings.psi and ks.high <= settings.ks:
        verdict = "pass"
    else:
        verdict = "inconclusive"
    for name, distance in (("psi", psi), ("ks", ks)):
        figures |= {
            name: distance.estimate,
            f"{name}_low": distance.low,
            f"{name}_high": distance.high,
        }
    reason = (
        f"PSI {psi.estimate:.3f} ({psi.low:.3f} to {psi.high:.3f}), {settings.psi:g} tolerated; KS "
        f"{ks.estimate:.3f} ({ks.low:.3f} to {ks.high:.3f}), {settings.ks:g} tolerated"
    )
    return _concluded("drift", verdict, reason, figures, settings, judged)


def overlap(observed: Overlap, settings: OverlapCheckSettings, judged: Judged) -> Check:
    """Whether too few of the stable version's best items are among the candidate's."""
    if not observed.count:
        return Check("overlap", "inconclusive", "no request was scored by both", {}, settings.required)
    figures = {"mean": observed.mean(), "requests": float(observed.count), "minimum": settings.minimum}
    if not math.isfinite(observed.total) or not 0.0 <= observed.mean() <= 1.0:
        reason = f"the mean overlap of {observed.count:,} requests is {observed.mean()}; 0 to 1 is expected"
        return Check("overlap", "error", reason, {"requests": figures["requests"]})
    low, high = sequential.rate_bounds(Rate(observed.total, float(observed.count)), judged.alpha)
    figures |= {"mean_low": low, "mean_high": high}
    reason = (
        f"the versions share {observed.mean():.1%} of their best {settings.k} in {observed.count:,} "
        f"requests, on average between {low:.1%} and {high:.1%}; at least {settings.minimum:.0%} is tolerated"
    )
    if observed.count < settings.min_requests:
        reason += f"; {settings.min_requests:,} requests are needed"
        return Check("overlap", "inconclusive", reason, figures, settings.required)
    if high < settings.minimum:
        verdict: Verdict = "fail"
    else:
        verdict = "pass" if low >= settings.minimum else "inconclusive"
    return Check("overlap", verdict, reason, figures, settings.required)


def _answered(arm: ArmStatistics, column: RateColumn) -> Clusters:
    """Trials of a column: all requests, or for what an answer is like, those that were answered."""
    requests = arm.by_cluster("requests")
    return requests if column == "errors" else requests - arm.by_cluster("errors")


def _early(
    name: str,
    settings: CheckSettings,
    judged: Judged,
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
    if (few := judged.too_few_users()) is not None:
        return Check(name, "inconclusive", few, figures, settings.required)
    return None


def _concluded(
    name: str,
    verdict: Verdict,
    reason: str,
    figures: dict[str, float],
    settings: CheckSettings,
    judged: Judged,
) -> Check:
    """The check; a pass on fewer requests than are asked for is none yet."""
    check = Check(name, verdict, reason, figures, settings.required)
    few = judged.too_few_requests()
    if verdict != "pass" or few is None:
        return check
    return msgspec.structs.replace(check, verdict="inconclusive", reason=f"{few}; {reason}")


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


def _pair(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]:,} and {numbers[1]:,}"
