"""Rollouts to test with."""

from __future__ import annotations

from rollout import transitions
from rollout.record import ModelRecord, Plan, StagePlan
from rollout.transitions import Change

DATASET = "data-1"
PLAN = Plan(
    stages=(
        StagePlan(0, 10.0, 5),
        StagePlan(100, 10.0, 5),
        StagePlan(5_000, 10.0, 5),
        StagePlan(10_000, 10.0, 5),
    ),
    deadline_s=1_000.0,
    settle_s=20.0,
)


def started(
    record: ModelRecord | None = None,
    *,
    id: str = "bst-1-2-aa",
    plan: Plan = PLAN,
    now: float = 0.0,
    stable: int = 1,
    candidate: int = 2,
    actor: str = "ann",
) -> Change:
    """The change that starts a rollout."""
    return transitions.start(
        record or ModelRecord("bst"),
        id=id,
        stable=stable,
        candidate=candidate,
        dataset=DATASET,
        manifest_version=1,
        plan=plan,
        actor=actor,
        now=now,
    )


def running(stage: int = 1, plan: Plan = PLAN) -> ModelRecord:
    """A record whose rollout runs in a stage since second 0."""
    record = transitions.prepared(started(plan=plan).record, "r1", 0.0, "compared").record
    assessment = transitions.StageAssessment(10_000, "pass", "good")
    for _ in range(stage):
        at = record.rollout.stage_since + 1_000.0 if record.rollout else 0.0
        change = transitions.apply_assessment(record, assessment, 5.0, "r1", at)
        assert change is not None
        record = change.record
    return record
