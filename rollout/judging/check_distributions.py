"""The judge's checks of latencies and scores."""

from __future__ import annotations

import math

from foundation.statistics import sequential
from rollout.arm_statistics import ArmStatistics
from rollout.judging import score_drift as distances
from rollout.judging.check_context import CheckContext, concluded
from rollout.judging.check_results import Check, Verdict
from rollout.judging.design_effect import design_effect, effective
from rollout.judging.latency_bounds import latency_effect, quantile_bounds_ms
from rollout.judging.settings import DriftCheckSettings, LatencyCheckSettings, OverlapCheckSettings
from rollout.latency_histogram import quantile_ms
from rollout.overlap import Overlap

_MIN_CLUSTERS = 16


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


def latency(
    candidate: ArmStatistics, baseline: ArmStatistics, settings: LatencyCheckSettings, context: CheckContext
) -> Check:
    """Whether a quantile of latency rose by more than its allowance."""
    if (few := context.too_few_users()) is not None:
        return Check("latency", "inconclusive", few, {}, settings.required)
    by_cluster = (candidate.latency, baseline.latency)
    counts, counts_baseline = (part.sum(axis=0) for part in by_cluster)
    alpha = context.alpha / len(settings.quantiles) / 2
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
    return concluded("latency", verdict, reason, figures, settings, context)


def drift(
    candidate: ArmStatistics, baseline: ArmStatistics, settings: DriftCheckSettings, context: CheckContext
) -> Check:
    """Whether the scores are distributed too far from the baseline's."""
    scores, scores_baseline = candidate.scores, baseline.scores
    clusters = min(int((part.sum(axis=1) > 0).sum()) for part in (scores, scores_baseline))
    figures = {"candidate_scores": float(scores.sum()), "baseline_scores": float(scores_baseline.sum())}
    few = context.too_few_users()
    if few is None and clusters < _MIN_CLUSTERS:
        few = (
            f"{figures['candidate_scores']:,.0f} and {figures['baseline_scores']:,.0f} scores of too few "
            "shoppers in candidate and baseline"
        )
    if few is not None:
        return Check("drift", "inconclusive", few, figures, settings.required)
    information = max(1.0, min(context.requests) / context.min_requests)
    # Two distances share the check's chance of error, and each bound has two sides of which one counts.
    psi = distances.psi_distance(scores, scores_baseline, information, context.alpha)
    ks = distances.ks_distance(scores, scores_baseline, information, context.alpha)
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
    return concluded("drift", verdict, reason, figures, settings, context)


def overlap(observed: Overlap, settings: OverlapCheckSettings, context: CheckContext) -> Check:
    """Whether too few of the stable version's best items are among the candidate's."""
    if not observed.count:
        return Check("overlap", "inconclusive", "no request was scored by both", {}, settings.required)
    figures = {"mean": observed.mean(), "requests": float(observed.count), "minimum": settings.minimum}
    if not 0.0 <= observed.mean() <= 1.0:
        reason = f"the mean overlap of {observed.count:,} requests is {observed.mean()}; 0 to 1 is expected"
        return Check("overlap", "error", reason, {"requests": figures["requests"]})
    if (few := context.too_few_users()) is not None:
        return Check("overlap", "inconclusive", few, figures, settings.required)
    totals, counts = observed.totals, observed.counts
    rate = effective(totals, counts, design_effect([(totals, counts)]))
    low, high = sequential.rate_bounds(rate, context.alpha)
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
