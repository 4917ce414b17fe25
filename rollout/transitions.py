"""The transitions of a model's record: pure functions from a record and a time to the next record.

Nothing here reads a clock or a store. A function that cannot return a `Change` raises `TransitionNotAllowed`
with the reason. Times are unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from rollout.errors import TransitionNotAllowed
from rollout.judging.check_results import Verdict
from rollout.record import (
    HistoryEntry,
    ModelRecord,
    Phase,
    Plan,
    Promotion,
    Rollout,
)


@dataclass(frozen=True, slots=True)
class Change:
    """The next record, and the history entry that describes the change."""

    record: ModelRecord
    entry: HistoryEntry


@dataclass(frozen=True, slots=True)
class StageAssessment:
    """What the leader knows of a stage when it decides.

    Attributes:
        samples: answers of the candidate's arm in this stage.
        verdict: of the judge over all checks.
        reason: the judge's, for a person.
        error_since: unix second since which the verdict has been "error"; None where it is not.
        checks: the judge's checks as JSON, for the history.
    """

    samples: int
    verdict: Verdict
    reason: str
    error_since: float | None = None
    checks: str = ""


def start(
    record: ModelRecord,
    *,
    id: str,
    stable: int,
    candidate: int,
    dataset: str,
    manifest_version: int,
    plan: Plan,
    actor: str,
    now: float,
) -> Change:
    """A rollout in preparation. Raises `TransitionNotAllowed` where another is under way."""
    if record.active is not None:
        active = record.active
        raise TransitionNotAllowed(
            f"rollout {active.id} of {record.model} to version {active.candidate}, started by "
            f"{active.started_by or 'an operator'}, is under way ({active.phase}); abort it or wait for "
            "its end",
            active.id,
        )
    rollout = Rollout(
        id=id,
        model=record.model,
        stable=stable,
        candidate=candidate,
        dataset=dataset,
        manifest_version=manifest_version,
        plan=plan,
        started_by=actor,
        started_at=now,
        stage_since=now,
        reason="waits for the leader to load and compare the candidate",
    )
    return _change(record, rollout, "started", actor, now, f"version {stable} to {candidate}")


def prepared(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """The candidate passed the comparison: the first stage begins."""
    rollout = _active(record, Phase.PREPARING)
    began = replace(rollout, phase=Phase.RUNNING, stage=0, stage_since=now, reason=reason)
    return _change(record, began, "prepared", actor, now, reason)


def delayed(record: ModelRecord, actor: str, now: float, reason: str) -> Change | None:
    """The preparation cannot continue yet; None where the record contains this reason already."""
    rollout = _active(record, Phase.PREPARING)
    if rollout.reason == reason:
        return None
    return _change(record, replace(rollout, reason=reason), "delayed", actor, now, reason)


def refused(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """The candidate failed the comparison: the rollout ends before it answers any shopper."""
    _active(record, Phase.PREPARING)
    return _end(record, Phase.REFUSED, "refused", actor, now, reason)


def apply_assessment(
    record: ModelRecord, assessment: StageAssessment, error_grace_s: float, actor: str, now: float
) -> Change | None:
    """The change that follows from a stage's time, samples and verdict; None: wait.

    A verdict "fail" rolls back at once, paused or not; "error" does after `error_grace_s` seconds. Only
    "pass" with the stage's minimum time and samples advances, and never while paused.
    """
    rollout = _active(record, Phase.RUNNING)
    reason, checks = assessment.reason, assessment.checks
    if assessment.verdict == "fail":
        return _end(record, Phase.ROLLED_BACK, "rolled_back", actor, now, reason, checks)
    if assessment.error_since is not None and now - assessment.error_since > error_grace_s:
        reason = f"the checks have been in error for {now - assessment.error_since:.0f} s: {reason}"
        return _end(record, Phase.ROLLED_BACK, "rolled_back", actor, now, reason, checks)
    if rollout.paused or assessment.verdict != "pass" or waits_for(rollout, assessment.samples, now):
        return None
    if rollout.stage + 1 == len(rollout.plan.stages):
        return _promoted(record, rollout, actor, now, "every stage passed", checks)
    onward = replace(rollout, stage=rollout.stage + 1, stage_since=now, reason=reason)
    return _change(record, onward, "advanced", actor, now, reason, checks)


def waits_for(rollout: Rollout, samples: int, now: float) -> str:
    """What a running stage lacks besides a passing verdict; "" where nothing."""
    plan = rollout.stage_plan
    missing = []
    left = plan.min_duration_s - (now - rollout.stage_since)
    if left > 0:
        missing.append(f"{left:.1f} s")
    if samples < plan.min_samples:
        missing.append(f"{plan.min_samples - samples:,} samples")
    return " and ".join(missing)


def timed(record: ModelRecord, actor: str, now: float) -> Change | None:
    """The change that time alone causes: the deadline, or the end of settling; None: nothing yet."""
    rollout = record.active
    if rollout is None:
        return None
    if rollout.phase is Phase.SETTLING:
        if now - rollout.stage_since < rollout.plan.settle_s:
            return None
        reason = f"version {rollout.candidate} has settled; version {rollout.stable} may be unloaded"
        ended = replace(rollout, phase=Phase.PROMOTED, ended_at=now, reason=reason)
        return _change(record, ended, "settled", actor, now, reason)
    if now < rollout.deadline_at:
        return None
    reason = (
        f"the deadline of {rollout.plan.deadline_s:g} s passed in {_where(rollout)}; last: {rollout.reason}"
    )
    return _end(record, Phase.EXPIRED, "expired", actor, now, reason)


def superseded(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """Ends the rollout because a new snapshot does not fit it."""
    rollout = _active(record)
    if rollout.phase is Phase.SETTLING:
        ended = replace(rollout, phase=Phase.PROMOTED, ended_at=now, reason=reason)
        return _change(record, ended, "settled", actor, now, reason)
    return _end(record, Phase.SUPERSEDED, "superseded", actor, now, reason)


def failed(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """Rolls back at once, for a reason found outside the judge's checks."""
    _active(record)
    return _end(record, Phase.ROLLED_BACK, "rolled_back", actor, now, reason)


def take_lead(record: ModelRecord, epoch: int, actor: str, now: float) -> Change:
    """A new leader writes its epoch into the record, so that later writes of its predecessor fail."""
    rollout = _active(record)
    change = _change(record, rollout, "led", actor, now, f"this replica leads, epoch {epoch}")
    return Change(replace(change.record, epoch=epoch), change.entry)


def pause(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """Holds the stage. A failed check still rolls back, and the deadline still applies."""
    rollout = _active(record, Phase.PREPARING, Phase.RUNNING)
    if rollout.paused:
        raise TransitionNotAllowed(f"rollout {rollout.id} is paused already", rollout.id)
    return _change(record, replace(rollout, paused=True), "paused", actor, now, reason)


def resume(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """Continues a paused rollout."""
    rollout = _active(record)
    if not rollout.paused:
        raise TransitionNotAllowed(f"rollout {rollout.id} is not paused", rollout.id)
    return _change(record, replace(rollout, paused=False), "resumed", actor, now, reason)


def promote(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """Makes the candidate the stable version now, whatever the verdict."""
    rollout = _active(record, Phase.RUNNING)
    return _promoted(record, rollout, actor, now, reason or "by an operator")


def abort(record: ModelRecord, actor: str, now: float, reason: str) -> Change:
    """Ends the rollout; while it settles, the promotion is taken back."""
    _active(record)
    return _end(record, Phase.ABORTED, "aborted", actor, now, reason or "by an operator")


def _active(record: ModelRecord, *phases: Phase) -> Rollout:
    rollout = record.active
    if rollout is None:
        last = record.rollout
        ended = f"; the last one, {last.id}, is {last.phase}" if last is not None else ""
        raise TransitionNotAllowed(f"no rollout of {record.model} is under way{ended}")
    if phases and rollout.phase not in phases:
        allowed = " or ".join(phases)
        raise TransitionNotAllowed(
            f"rollout {rollout.id} is {rollout.phase}; this is possible while {allowed}", rollout.id
        )
    return rollout


def _promoted(
    record: ModelRecord, rollout: Rollout, actor: str, now: float, reason: str, checks: str = ""
) -> Change:
    settling = replace(
        rollout,
        phase=Phase.SETTLING,
        stage_since=now,
        paused=False,
        reason=f"version {rollout.candidate} serves everybody; version {rollout.stable} stays loaded "
        "meanwhile",
    )
    promotion = Promotion(rollout.candidate, rollout.dataset, rollout.manifest_version, rollout.id, now)
    change = _change(record, settling, "promoted", actor, now, reason, checks)
    return Change(replace(change.record, promotion=promotion), change.entry)


def _end(
    record: ModelRecord, phase: Phase, event: str, actor: str, now: float, reason: str, checks: str = ""
) -> Change:
    rollout = _active(record)
    ended = replace(rollout, phase=phase, paused=False, ended_at=now, reason=reason)
    change = _change(record, ended, event, actor, now, reason, checks)
    if rollout.phase is Phase.SETTLING:
        return Change(replace(change.record, promotion=_promotion_before(rollout, now)), change.entry)
    return change


def _promotion_before(rollout: Rollout, now: float) -> Promotion | None:
    """The promotion that was in force before `rollout` promoted its candidate."""
    if rollout.stable == rollout.manifest_version:
        return None
    return Promotion(rollout.stable, rollout.dataset, rollout.manifest_version, rollout.id, now)


def _change(
    record: ModelRecord, rollout: Rollout, event: str, actor: str, now: float, reason: str, checks: str = ""
) -> Change:
    generation = record.generation + 1
    entry = HistoryEntry(
        at=now,
        model=record.model,
        rollout=rollout.id,
        generation=generation,
        event=event,
        actor=actor,
        phase=rollout.phase,
        stage=rollout.stage,
        weight_bp=rollout.weight_bp,
        reason=reason,
        checks=checks,
    )
    return Change(replace(record, generation=generation, rollout=rollout), entry)


def _where(rollout: Rollout) -> str:
    return "preparation" if rollout.phase is Phase.PREPARING else f"stage {rollout.stage + 1}"
