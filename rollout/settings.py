"""Settings of canary rollouts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rollout.judging.settings import JudgeSettings
from rollout.record import WHOLE, Plan, StagePlan

FROZEN = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StageSettings(BaseModel):
    """One stage of a rollout."""

    model_config = FROZEN

    weight_bp: int = Field(
        ge=0,
        le=WHOLE,
        description="Shoppers the candidate answers, in basis points (hundredths of a per cent). 0 is "
        "shadow: it scores copies of requests and answers nobody. Up to 5,000 a group of the same size is "
        "the concurrent baseline; above it the baseline is what is left.",
    )
    min_duration_s: float = Field(ge=0, description="Seconds the stage lasts at least.")
    min_samples: int = Field(
        ge=0,
        description="Answers of the candidate's arm (in shadow: compared requests) the stage needs at least.",
    )


class ShadowSettings(BaseModel):
    """How both versions score copies of requests, after their answers have left."""

    model_config = FROZEN

    share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of all requests that are scored by both versions: in shadow copies, in stages "
        "with traffic as many of the candidate's answers (all, while its group is smaller), 0…1.",
    )
    concurrency: int = Field(
        2,
        ge=1,
        le=64,
        description="Copies one replica has scored at a time; what exceeds it is dropped, counted.",
    )
    timeout_ms: float = Field(1_000.0, gt=0, description="Longest wait for a copy's scores, milliseconds.")


class GuardSettings(BaseModel):
    """How each replica reacts at once, without the judge, when the candidate fails a request."""

    model_config = FROZEN

    timeout_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Part of ranking.score_timeout_ms that the candidate may take; what is left is for the "
        "stable version to answer in its place, 0…1.",
    )
    failures: int = Field(
        3, ge=1, description="Failures in a row after which the candidate is not asked for a while."
    )
    pause_s: float = Field(1.0, gt=0, description="Seconds until one request tries the candidate again.")


class PreparationSettings(BaseModel):
    """How the candidate is tested before it answers any shopper."""

    model_config = FROZEN

    requests: int = Field(
        200,
        ge=1,
        le=1_000,
        description="Recent requests one replica keeps to compare the versions on: with 200, a candidate "
        "that is too different on 8 % of the requests is refused in most cases, on 15 % nearly always.",
    )
    rounds: int = Field(2, ge=1, le=100, description="Times each of them is scored by the candidate.")
    timeout_ms: float = Field(2_000.0, gt=0, description="Longest wait for one answer, milliseconds.")
    load_timeout_s: float = Field(60.0, gt=0, description="Seconds Triton may take to load the candidate.")


class RolloutSettings(BaseModel):
    """How a model version takes over from the previous version, and when it is rolled back."""

    model_config = FROZEN

    enabled: bool = Field(True, description="Whether rollouts can be started; promotions hold either way.")
    url: str = Field(
        "lmdb://build/sample/rollouts",
        description="Where rollouts are durable: lmdb:///absolute/folder, or lmdb://folder below the working "
        "folder, or the URL of a Redis server as for user state, whose section `state.redis` holds here too. "
        "Every replica must reach the same.",
    )
    repository: Path = Field(
        Path("build/sample/triton"),
        description="Folder whose models/ Triton serves; a candidate is read and pinned there.",
    )
    stages: tuple[StageSettings, ...] = Field(
        (
            StageSettings(weight_bp=0, min_duration_s=300.0, min_samples=500),
            StageSettings(weight_bp=100, min_duration_s=900.0, min_samples=500),
            StageSettings(weight_bp=500, min_duration_s=1_800.0, min_samples=2_000),
            StageSettings(weight_bp=2_500, min_duration_s=3_600.0, min_samples=10_000),
            StageSettings(weight_bp=5_000, min_duration_s=7_200.0, min_samples=20_000),
            StageSettings(weight_bp=WHOLE, min_duration_s=1_800.0, min_samples=10_000),
        ),
        description="Stages in order, weights rising. An operator may give others at the start.",
    )
    deadline_s: float = Field(
        86_400.0, gt=0, description="Seconds after which a rollout that is not promoted is rolled back."
    )
    settle_s: float = Field(
        3_600.0,
        ge=0,
        description="Seconds after the promotion for which the version before stays loaded.",
    )
    error_grace_s: float = Field(
        30.0, ge=0, description="Seconds a check may be in error before the rollout is rolled back."
    )
    missing_grace_s: float = Field(
        10.0,
        ge=0,
        description="Seconds the candidate may be gone from Triton, while the stable version is there, "
        "before the rollout is rolled back.",
    )
    poll_interval_s: float = Field(
        0.5, gt=0, le=0.5, description="Seconds between two looks at the record; also between two judgements."
    )
    lease_s: float = Field(
        3.0, ge=1, description="Seconds after which a leader that is silent is replaced by another replica."
    )
    shadow: ShadowSettings = Field(ShadowSettings(), description="Scoring copies of requests.")
    guard: GuardSettings = Field(GuardSettings(), description="What protects a single shopper.")
    preparation: PreparationSettings = Field(
        PreparationSettings(), description="Comparing the versions before traffic."
    )
    judge: JudgeSettings = Field(JudgeSettings(), description="What the judge tolerates.")

    @model_validator(mode="after")
    def _stages_rise(self) -> RolloutSettings:
        problem = stages_problem(tuple(stage.weight_bp for stage in self.stages))
        if problem:
            raise ValueError(f"stages: {problem}")
        return self

    def plan(self) -> Plan:
        """The plan of a rollout that is started without a plan of its own."""
        return Plan(
            stages=tuple(
                StagePlan(stage.weight_bp, stage.min_duration_s, stage.min_samples) for stage in self.stages
            ),
            deadline_s=self.deadline_s,
            settle_s=self.settle_s,
        )


def stages_problem(weights: tuple[int, ...]) -> str:
    """What is wrong with stages of these weights (basis points), "" where nothing is."""
    if not weights:
        return "there must be at least one"
    if any(not 0 <= weight <= WHOLE for weight in weights):
        return f"weights must be 0…{WHOLE:,} basis points"
    if any(later <= earlier for earlier, later in pairwise(weights)):
        return f"weights must rise from stage to stage, got {list(weights)}"
    if not any(0 < weight < WHOLE for weight in weights):
        return f"one must have a weight between 0 and {WHOLE:,}, so that there is a baseline to compare with"
    return ""
