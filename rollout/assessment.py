"""What is to be thought of a rollout now, from the counts of all replicas. Any replica can say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollout.counting import Gathered, gathered
from rollout.judge import judge
from rollout.judge_settings import JudgeSettings
from rollout.judgement import Judgement
from rollout.record import SHADOW, WHOLE, ArmStatisticsRow, Rollout


@dataclass(frozen=True, slots=True)
class Assessment:
    """The judge's word, and what the present stage has gathered.

    samples  answers of the candidate's arm in this stage; in shadow, requests scored by both versions
    """

    judgement: Judgement
    stage: Gathered
    samples: int


def assess(rollout: Rollout, rows: Sequence[ArmStatisticsRow], settings: JudgeSettings) -> Assessment:
    """Judges a running or settling rollout.

    In shadow, the copies of this stage. In stages with a baseline, all such stages together: both groups
    grew alike all the while. Where the candidate answers everybody there is no concurrent baseline left: its
    answers of this stage are held against the baseline of the stages before, and only in what does not
    follow the hour of the day (errors, degraded, empty and short pages).

    Raises `StatisticsError` where a replica's counts cannot be read.
    """
    stage = gathered(rows, [rollout.counted_stage])
    weight = rollout.weight_bp
    if weight == SHADOW:
        judgement = judge(stage.candidate, stage.baseline, stage.overlap, settings)
        return Assessment(judgement, stage, stage.overlap.count)
    compared = gathered(rows, _stages_with_baseline(rollout))
    if weight < WHOLE:
        judgement = judge(compared.candidate, compared.baseline, None, settings)
    else:
        judgement = judge(stage.candidate, compared.baseline, None, _without_hour(settings))
    return Assessment(judgement, stage, stage.candidate.requests)


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
