"""A rollout as operators see it."""

from __future__ import annotations

import math

import msgspec

from protos.shopfront.v1 import rollout_pb2
from rollout.judging.check_results import Check
from rollout.judging.judge_stage import StageResults
from rollout.record import SHADOW, WHOLE, HistoryEntry, Lease, ModelRecord, Phase, Rollout
from rollout.transitions import waits_for


def status_message(
    record: ModelRecord,
    stable_version: int,
    results: StageResults | None,
    checks_json: str,
    lease: Lease | None,
    now: float,
) -> rollout_pb2.RolloutStatus:
    """The status at unix second `now`.

    stable_version  what serves by default
    results         of a rollout that takes traffic; None of any other
    checks_json     where there are no results: the checks it ended with, or what prevents them; "" for none
    """
    status = rollout_pb2.RolloutStatus(
        model=record.model, stable_version=stable_version, generation=record.generation
    )
    rollout = record.rollout
    if rollout is None:
        status.next_step = "none; start one with `shopfront rollout start`"
        return status
    status.rollout_id = rollout.id
    status.phase = rollout.phase.value
    status.paused = rollout.paused
    status.reason = rollout.reason
    status.candidate_version = rollout.candidate
    status.stages.extend(
        rollout_pb2.RolloutStage(
            weight_bp=stage.weight_bp, min_duration_s=stage.min_duration_s, min_samples=stage.min_samples
        )
        for stage in rollout.plan.stages
    )
    status.stage = rollout.stage
    status.in_stage_s = max(0.0, (rollout.ended_at or now) - rollout.stage_since)
    status.weight_bp = rollout.weight_bp
    status.started_by = rollout.started_by
    status.started_at_ms = int(rollout.started_at * 1000)
    status.deadline_at_ms = int(rollout.deadline_at * 1000)
    status.ended_at_ms = int(rollout.ended_at * 1000)
    status.dataset = rollout.dataset
    if rollout.active and lease is not None and lease.expires_at > now:
        status.leader = lease.holder
    checks: tuple[Check, ...] = ()
    if results is not None:
        _add_counts(status, results)
        checks = results.checks.checks
    elif checks_json:
        checks = msgspec.json.decode(checks_json, type=tuple[Check, ...])
    status.checks.extend(_check(check) for check in checks)
    status.next_step = _next_step(rollout, results, now)
    return status


def history_message(entries: list[tuple[int, HistoryEntry]]) -> rollout_pb2.RolloutHistory:
    """The history's entries under their numbers."""
    return rollout_pb2.RolloutHistory(
        events=[
            rollout_pb2.RolloutEvent(
                number=number,
                at_ms=int(entry.at * 1000),
                rollout_id=entry.rollout,
                event=entry.event,
                actor=entry.actor,
                phase=entry.phase,
                stage=entry.stage,
                weight_bp=entry.weight_bp,
                reason=entry.reason,
                generation=entry.generation,
            )
            for number, entry in entries
        ]
    )


def stage_name(weight_bp: int) -> str:
    """A stage as people call it: "shadow", "1 %", "0.25 %"."""
    return "shadow" if weight_bp == SHADOW else f"{weight_bp / 100:g} %"


def _add_counts(status: rollout_pb2.RolloutStatus, results: StageResults) -> None:
    stage = results.counts
    for arm, statistics in (("candidate", stage.candidate), ("baseline", stage.baseline)):
        status.samples[arm] = statistics.requests
        status.shoppers[arm] = statistics.users
    if stage.overlap.count:
        status.samples["compared"] = stage.overlap.count


def _check(check: Check) -> rollout_pb2.RolloutCheck:
    return rollout_pb2.RolloutCheck(
        name=check.name,
        verdict=check.verdict,
        reason=check.reason,
        figures={name: value for name, value in check.figures.items() if math.isfinite(value)},
        required=check.required,
    )


def _next_step(rollout: Rollout, results: StageResults | None, now: float) -> str:
    if not rollout.active:
        return ""
    if rollout.phase is Phase.PREPARING:
        held = "paused; " if rollout.paused else ""
        return f"{held}version {rollout.candidate} is loaded and compared before any shopper is touched"
    if rollout.phase is Phase.SETTLING:
        left = max(0.0, rollout.plan.settle_s - (now - rollout.stage_since))
        return f"version {rollout.stable} is unloaded in {left:.0f} s; until then an abort takes it back"
    onward = _onward(rollout)
    if rollout.paused:
        return f"{onward}, once resumed"
    waits = []
    if results is not None:
        missing = waits_for(rollout, results.samples, now)
        waits += [missing] if missing else []
        if results.checks.verdict != "pass":
            waits.append(f"the checks, which are {results.checks.verdict}")
    return f"{onward}, after {' and '.join(waits)}" if waits else f"{onward}, at the leader's next look"


def _onward(rollout: Rollout) -> str:
    if rollout.stage + 1 == len(rollout.plan.stages):
        return "promotion"
    weight = rollout.plan.stages[rollout.stage + 1].weight_bp
    return f"stage {rollout.stage + 2} ({'everybody' if weight >= WHOLE else stage_name(weight)})"
