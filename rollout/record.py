"""What is durable about a model's rollouts: one record per model, and its history.

A record changes only by compare-and-swap on its generation, so that of two concurrent changes only one
succeeds, and a leader that was thought dead cannot undo what its successor did.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

SHADOW = 0
"""Weight of a stage in which the candidate answers no shopper and scores copies of requests."""
WHOLE = 10_000
"""Weight of a stage in which the candidate answers every shopper, in basis points."""


class Phase(StrEnum):
    """The phase of a rollout. The first three are active; the others are final."""

    PREPARING = "preparing"
    """The candidate is being loaded, warmed up and compared; it answers no shopper."""
    RUNNING = "running"
    """In one of its stages."""
    SETTLING = "settling"
    """Promoted; the version before stays loaded for a while, so that an abort takes a second."""
    PROMOTED = "promoted"
    REFUSED = "refused"
    """The candidate failed the comparison before traffic."""
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    EXPIRED = "expired"
    """The deadline came before the checks had passed in every stage; rolled back."""
    SUPERSEDED = "superseded"
    """A snapshot of other data or with another model version took over; rolled back."""


ACTIVE = frozenset({Phase.PREPARING, Phase.RUNNING, Phase.SETTLING})


class StagePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage. `min_samples` counts answers of the candidate's arm (in shadow: compared requests)."""

    weight_bp: int
    """Share of shoppers the candidate answers, in basis points; 0 is shadow."""
    min_duration_s: float
    min_samples: int


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rollout was started with."""

    stages: tuple[StagePlan, ...]
    deadline_s: float
    """Seconds after the start at which a rollout that is not promoted ends, pauses included."""
    settle_s: float
    """Seconds for which the version before stays loaded after the promotion."""


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rollout. Times are unix seconds; `ended_at` is 0 while it is active."""

    id: str
    """Also the salt of the assignment and the experiment's name in answers' `arms`."""
    model: str
    stable: int
    candidate: int
    dataset: str
    """Data set that gives both versions' item ids their meaning."""
    manifest_version: int
    """Version of the model that the snapshot names; `stable` differs from it after a promotion."""
    plan: Plan
    started_by: str
    started_at: float
    phase: Phase = Phase.PREPARING
    stage: int = 0
    stage_since: float = 0.0
    paused: bool = False
    reason: str = ""
    """Why it is in this phase and stage, for a person."""
    ended_at: float = 0.0

    @property
    def active(self) -> bool:
        """Whether it can still change."""
        return self.phase in ACTIVE

    @property
    def stage_plan(self) -> StagePlan:
        """The stage it is in."""
        return self.plan.stages[self.stage]

    @property
    def weight_bp(self) -> int:
        """Share of shoppers that the candidate's arm answers now, in basis points."""
        if self.phase is Phase.SETTLING:
            return WHOLE
        return self.stage_plan.weight_bp if self.phase is Phase.RUNNING else 0

    @property
    def counted_stage(self) -> int:
        """The stage under which answers are counted now; settling counts as the stage after the last."""
        return len(self.plan.stages) if self.phase is Phase.SETTLING else self.stage

    @property
    def shadows(self) -> bool:
        """Whether the candidate scores copies of requests now."""
        return self.phase is Phase.RUNNING and self.stage_plan.weight_bp == SHADOW

    @property
    def deadline_at(self) -> float:
        """Unix second at which it ends unless it is promoted before."""
        return self.started_at + self.plan.deadline_s


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version that is served in place of the version a snapshot names."""

    version: int
    dataset: str
    manifest_version: int
    """Valid only for snapshots that name this version: a snapshot that names another was built later."""
    rollout: str
    at: float


class ModelRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything durable about one model's rollouts except the history."""

    model: str
    generation: int = 0
    """Rises by one with every change; 0 is the record before the first."""
    epoch: int = 0
    """Lease under which the leader wrote last; a new leader writes its own before it acts."""
    rollout: Rollout | None = None
    """The active rollout, or the last one."""
    promotion: Promotion | None = None

    @property
    def active(self) -> Rollout | None:
        """The rollout that is under way."""
        return self.rollout if self.rollout is not None and self.rollout.active else None

    def stable_version(self, dataset: str, manifest_version: int) -> int:
        """The version that serves by default with a snapshot of `dataset` that names `manifest_version`."""
        promoted = self.promotion
        if promoted and (promoted.dataset, promoted.manifest_version) == (dataset, manifest_version):
            return promoted.version
        return manifest_version


class HistoryEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the history, written in the same transaction as the change it describes."""

    at: float
    model: str
    rollout: str
    generation: int
    event: str
    """What happened: "started", "prepared", "advanced", "paused", "promoted", "rolled_back", …"""
    actor: str
    """Operator, or the leading replica."""
    phase: str
    stage: int
    weight_bp: int
    reason: str
    checks: str = ""
    """The judge's checks at that time as JSON; empty where there were none."""


class Lease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The right to lead, until `expires_at` (unix seconds). `epoch` rises with every change of holder."""

    holder: str
    epoch: int
    expires_at: float


class ArmStatisticsRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One replica's counts of one arm in one stage; `payload` is encoded by `rollout.arm_statistics`."""

    replica: str
    stage: int
    arm: str
    payload: bytes
