"""Judges a rollout's present stage from the counts of all replicas; any replica can do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollout.counting import StageCounts, sum_counts
from rollout.judging.check_results import CheckResults
from rollout.judging.judge import judge
from rollout.judging.settings import JudgeSettings
from rollout.page_counts import PageCounts
from rollout.record import SHADOW, WHOLE, ArmStatisticsRow, Rollout


@dataclass(frozen=True, slots=True)
class StageResults:
    """The judge's checks, and what the present stage has counted.

    Attributes:
        checks: the checks and their verdict.
        counts: of the present stage, over all replicas.
        samples: answers of the candidate's arm in this stage; in shadow, requests scored by both versions.
    """

    checks: CheckResults
    counts: StageCounts
    samples: int


def judge_stage(rollout: Rollout, rows: Sequence[ArmStatisticsRow], settings: JudgeSettings) -> StageResults:
    """Judges a running or settling rollout.

    In shadow, the copies of this stage. In stages with a baseline, all such stages together: both groups
    grew in the same way. Where the candidate answers everybody there is no concurrent baseline left: its
    answers of this stage are compared with the baseline of the stages before, and only in what does not
    depend on the hour of the day (errors, degraded, empty and short pages, and requests scored by both).

    Args:
        rollout: its stage is judged.
        rows: what each replica has counted.
        settings: thresholds of the judge.

    Raises:
        StatisticsError: a replica's counts cannot be read.
    """
    stage = sum_counts(rows, [rollout.counted_stage])
    weight = rollout.weight_bp
    if weight == SHADOW:
        checks = judge(stage.candidate, stage.baseline, stage.overlap, settings, stage.pages)
        return StageResults(checks, stage, stage.overlap.count)
    compared = sum_counts(rows, _stages_with_baseline(rollout))
    if weight < WHOLE:
        checks = judge(compared.candidate, compared.baseline, None, settings, compared.pages)
    else:
        scored_by_both = PageCounts()
        for counts in (compared.pages, stage.pages):
            scored_by_both.add(counts)
        checks = judge(stage.candidate, compared.baseline, None, _without_hour(settings), scored_by_both)
    return StageResults(checks, stage, stage.candidate.requests)


def _stages_with_baseline(rollout: Rollout) -> list[int]:
    reached = rollout.plan.stages[: rollout.stage + 1]
    return [position for position, plan in enumerate(reached) if SHADOW < plan.weight_bp < WHOLE]


def _without_hour(settings: JudgeSettings) -> JudgeSettings:
    off = {"enabled": False}
    return settings.model_copy(
        update={
            name: getattr(settings, name).model_copy(update=off)
            for name in ("latency", "drift", "ctr", "cvr")
        }
    )
