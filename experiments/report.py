"""The report of an experiment: each arm's figures and how they differ from the control's."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from experiments.effects import Difference, Estimate, difference, mean, ratio, sample_ratio_p
from experiments.outcomes import ArmOutcomes, ExperimentOutcomes
from experiments.over_time import arm_over_time, moments_of
from experiments.settings import ExperimentSettings

METRICS: Mapping[str, str] = {
    "ctr": "CTR",
    "cvr": "CVR",
    "gmv_per_user": "GMV per user",
}
"""Metrics by key, as people call them: clicks and purchases per impression, and what a shopper spent."""

MISMATCH_P = 0.001


class ReportedEstimate(msgspec.Struct, frozen=True):
    """A metric of one arm with its 95 % confidence interval; all None where there are too few data."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class ReportedArm(msgspec.Struct, frozen=True):
    """One arm: counts, metrics, and each metric's difference from the control (None for the control)."""

    name: str
    users: int
    answers: int
    impressions: int
    clicks: int
    purchases: int
    gmv: float
    metrics: dict[str, ReportedEstimate]
    differences: dict[str, Difference | None]


class ReportedMoment(msgspec.Struct, frozen=True):
    """What was known at a moment, unix milliseconds: shoppers and metrics by arm."""

    at_ms: int
    users: dict[str, int]
    arms: dict[str, dict[str, ReportedEstimate]]


class Report(msgspec.Struct, frozen=True):
    """One experiment.

    control        arm the others are compared with
    arms           the control first
    mismatch_p     p-value of the shoppers being divided as configured; None where that is not known
    warnings       what a reader must know before believing the figures
    refused        arm → why it must not be taken, whatever it gains
    first_ms, last_ms  times of the first and the last answer, unix milliseconds
    over_time      arms as they were known at up to 24 moments, the last with everything
    """

    experiment: str
    control: str
    arms: tuple[ReportedArm, ...]
    mismatch_p: float | None
    warnings: tuple[str, ...]
    first_ms: int
    last_ms: int
    refused: dict[str, str] = {}
    over_time: tuple[ReportedMoment, ...] = ()


def build_report(name: str, outcomes: ExperimentOutcomes, settings: ExperimentSettings | None) -> Report:
    """The report of an experiment; `settings` are None where its file no longer holds it."""
    control = settings.control_arm if settings is not None else _guessed_control(outcomes)
    known = outcomes.arms.get(control)
    warnings: list[str] = []
    if settings is None:
        warnings.append(
            f"the experiment is not configured any more: {control} is taken for the control, and whether its "
            "shoppers were divided as wanted is not known"
        )
    mismatch = _mismatch(outcomes, settings, warnings)
    if outcomes.crossed:
        warnings.append(
            f"{outcomes.crossed:,} shoppers were answered by several arms, since the division was changed, "
            "and are left out"
        )
    if outcomes.unexposed:
        warnings.append(
            f"{outcomes.unexposed:,} shoppers clicked or bought without a logged answer and are left out"
        )
    names = sorted(outcomes.arms, key=lambda arm: (arm != control, arm))
    return Report(
        experiment=name,
        control=control,
        arms=tuple(_arm(arm, outcomes.arms[arm], None if arm == control else known) for arm in names),
        mismatch_p=mismatch,
        warnings=tuple(warnings),
        first_ms=outcomes.first_ms,
        last_ms=outcomes.last_ms,
        over_time=_over_time(outcomes),
    )


def _over_time(outcomes: ExperimentOutcomes) -> tuple[ReportedMoment, ...]:
    ends = moments_of(outcomes.first_ms, outcomes.last_ms)
    arms = {name: list(arm_over_time(arm.hours, ends)) for name, arm in sorted(outcomes.arms.items())}
    return tuple(
        ReportedMoment(
            at_ms=end,
            users={name: moments[position].users for name, moments in arms.items()},
            arms={
                name: {metric: _reported(estimate) for metric, estimate in moments[position].metrics.items()}
                for name, moments in arms.items()
            },
        )
        for position, end in enumerate(ends)
    )


def _guessed_control(outcomes: ExperimentOutcomes) -> str:
    return "control" if "control" in outcomes.arms else min(outcomes.arms)


def _mismatch(
    outcomes: ExperimentOutcomes, settings: ExperimentSettings | None, warnings: list[str]
) -> float | None:
    if settings is None:
        return None
    foreign = sorted(outcomes.arms.keys() - settings.arms.keys())
    if foreign:
        warnings.append(f"the arms {', '.join(foreign)} are in the log but not configured any more")
        return None
    users = [outcomes.arms[arm].users if arm in outcomes.arms else 0 for arm in settings.arms]
    if not sum(users):
        return None
    p = sample_ratio_p(users, [arm.share_bp for arm in settings.arms.values()])
    if p < MISMATCH_P:
        divided = ", ".join(f"{arm} {count:,}" for arm, count in zip(settings.arms, users, strict=True))
        warnings.append(
            f"sample-ratio mismatch (p = {p:.2g}): {divided} shoppers are not divided as configured; find "
            "out why before believing anything below"
        )
    return p


def _arm(name: str, arm: ArmOutcomes, control: ArmOutcomes | None) -> ReportedArm:
    estimates = _estimates(arm)
    compared = _estimates(control) if control is not None else {}
    users = arm.users + (control.users if control is not None else 0)
    differences: dict[str, Difference | None] = {}
    for metric, estimate in estimates.items():
        other = compared.get(metric)
        if estimate is None or other is None:
            differences[metric] = None
        else:
            differences[metric] = difference(estimate, other, users)
    return ReportedArm(
        name=name,
        users=arm.users,
        answers=int(arm.answers.sum()),
        impressions=int(arm.impressions.sum()),
        clicks=int(arm.clicks.sum()),
        purchases=int(arm.purchases.sum()),
        gmv=float(arm.gmv.sum()),
        metrics={metric: _reported(estimate) for metric, estimate in estimates.items()},
        differences=differences,
    )


def _estimates(arm: ArmOutcomes) -> dict[str, Estimate | None]:
    return {
        "ctr": ratio(arm.clicks, arm.impressions),
        "cvr": ratio(arm.purchases, arm.impressions),
        "gmv_per_user": mean(arm.gmv),
    }


def _reported(estimate: Estimate | None) -> ReportedEstimate:
    if estimate is None:
        return ReportedEstimate()
    low, high = estimate.interval
    return ReportedEstimate(estimate.value, low, high)
