"""The methods of `RolloutService`, for operators; the same behind every ingress."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from functools import partial

import msgspec
from google.protobuf.message import Message

from foundation.telemetry.call_context import text_field
from foundation.verdicts.gate import VerdictGate
from foundation.verdicts.verdict import Subject
from protos.shopfront.v1 import rollout_pb2
from rollout import transitions
from rollout.bounds import MAX_STAGES
from rollout.errors import CandidateUnfit, StatisticsError, TransitionNotAllowed
from rollout.judging.check_results import Check
from rollout.judging.judge_stage import judge_stage
from rollout.preparation import CandidateOnTriton
from rollout.record import ModelRecord, Phase, Plan, StagePlan
from rollout.replica import ReplicaRollouts, ServingSnapshot
from rollout.settings import RolloutSettings, stages_problem
from rollout.status import history_message, status_message
from rollout.store import RolloutStore
from rollout.transitions import Change
from router.errors import CallerError, FieldViolation, PreconditionError, RaceLostError
from router.service.call import Call

_MAX_NAME = 64
_MAX_REASON = 500
_MAX_CHARACTERS = {"model": 128, "rollout_id": 256, "operator": _MAX_NAME, "reason": _MAX_REASON}
_MAX_HISTORY = 1_000
_DEFAULT_HISTORY = 100
_MAX_SECONDS = 10 * 366 * 86_400
_CHANGES_OF_LEADER = 5
_Changing = Callable[[ModelRecord, str, float, str], Change]


class RolloutOperations:
    """Every method reads the record, makes one change by compare-and-swap, and answers the status.

    Raises `CallerError`, `PreconditionError`, `RaceLostError`, and `RolloutStoreError` where the store fails.
    """

    def __init__(
        self,
        replica: ReplicaRollouts,
        store: RolloutStore,
        candidate: CandidateOnTriton,
        served: Callable[[], ServingSnapshot],
        settings: RolloutSettings,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(4),
        verdicts: VerdictGate | None = None,
    ) -> None:
        """Opens nothing.

        `served`: the snapshot that serves here; `clock`: unix seconds; `new_id`: never the same twice;
        `verdicts`: of which a candidate needs one that passed, None = it needs none.
        """
        self._replica = replica
        self._store = store
        self._candidate = candidate
        self._served = served
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._verdicts = verdicts

    async def start(self, request: rollout_pb2.StartRolloutRequest, call: Call) -> rollout_pb2.RolloutStatus:
        """Starts a rollout, prepared by whichever replica leads."""
        faults = _text_faults(request)
        if request.candidate < 1:
            faults.append(
                FieldViolation("candidate", f"is {request.candidate}; a version of 1 or more is meant")
            )
        faults += _plan_faults(request)
        if faults:
            raise CallerError(faults)
        model = self._model(request.model)
        if not self._settings.enabled:
            raise PreconditionError("DISABLED", model, "rollouts are switched off: rollout.enabled")
        record = await asyncio.to_thread(self._store.read, model)
        served = self._served()
        named = served.model_versions.get(model)
        if named is None:
            raise PreconditionError(
                "NO_STABLE", model, f"the snapshot that serves names no version of {model}"
            )
        stable = record.stable_version(served.dataset, int(named))
        if request.candidate == stable:
            raise PreconditionError("SERVES_ALREADY", f"{model} {stable}", f"version {stable} serves already")
        change = _allowed(
            lambda: transitions.start(
                record,
                id=f"{model}-{stable}-{request.candidate}-{self._new_id()}",
                stable=stable,
                candidate=request.candidate,
                dataset=served.dataset,
                manifest_version=int(named),
                plan=self._plan(request),
                actor=request.operator,
                now=self._clock(),
            )
        )
        try:
            manifest = await asyncio.to_thread(
                self._candidate.check, model, request.candidate, served.dataset
            )
        except CandidateUnfit as error:
            raise PreconditionError("CANDIDATE_UNFIT", f"{model} {request.candidate}", str(error)) from error
        if self._verdicts is not None:
            subject = Subject("model", model=model, version=request.candidate, checkpoint=manifest.checkpoint)
            if refusal := await asyncio.to_thread(self._verdicts.refusal, subject):
                raise PreconditionError("NOT_TESTED", f"{model} {request.candidate}", refusal)
        return await self._make(change)

    async def get(self, request: rollout_pb2.GetRolloutRequest, call: Call) -> rollout_pb2.RolloutStatus:
        """The status of the model's rollout."""
        _refuse_long_texts(request)
        return await self._status(await asyncio.to_thread(self._store.read, self._model(request.model)))

    async def pause(self, request: rollout_pb2.ChangeRolloutRequest, call: Call) -> rollout_pb2.RolloutStatus:
        """Holds the stage."""
        return await self._change(request, transitions.pause)

    async def resume(
        self, request: rollout_pb2.ChangeRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """Continues a paused rollout."""
        return await self._change(request, transitions.resume)

    async def promote(
        self, request: rollout_pb2.ChangeRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """Makes the candidate the stable version."""
        return await self._change(request, transitions.promote)

    async def abort(self, request: rollout_pb2.ChangeRolloutRequest, call: Call) -> rollout_pb2.RolloutStatus:
        """Ends the rollout."""
        return await self._change(request, transitions.abort)

    async def history(
        self, request: rollout_pb2.GetRolloutHistoryRequest, call: Call
    ) -> rollout_pb2.RolloutHistory:
        """What happened to the model's rollouts."""
        _refuse_long_texts(request)
        if not 0 <= request.limit <= _MAX_HISTORY:
            raise CallerError.of("limit", f"is {request.limit}; 1 to {_MAX_HISTORY:,} are possible")
        if request.after < 0:
            raise CallerError.of("after", f"is {request.after}; 0 or more is expected")
        model, limit = self._model(request.model), request.limit or _DEFAULT_HISTORY
        return history_message(await asyncio.to_thread(self._store.read_history, model, request.after, limit))

    async def _change(
        self, request: rollout_pb2.ChangeRolloutRequest, changing: _Changing
    ) -> rollout_pb2.RolloutStatus:
        _refuse_long_texts(request)
        model = self._model(request.model)
        for _ in range(_CHANGES_OF_LEADER):
            record = await asyncio.to_thread(self._store.read, model)
            active = record.active
            if request.rollout_id and (active is None or active.id != request.rollout_id):
                there = f"{active.id} is" if active is not None else "none is"
                raise PreconditionError(
                    "NOT_ACTIVE", request.rollout_id, f"rollout {request.rollout_id} is not active; {there}"
                )
            change = _allowed(partial(changing, record, request.operator, self._clock(), request.reason))
            try:
                return await self._make(change)
            except RaceLostError as error:
                lost = error
                if not await self._only_led(record):
                    break
        raise lost

    async def _only_led(self, record: ModelRecord) -> bool:
        """Whether replicas took the lead since `record` and nothing else happened."""
        since = await asyncio.to_thread(
            self._store.read_history, record.model, record.generation, _CHANGES_OF_LEADER
        )
        return bool(since) and all(entry.event == "led" for _, entry in since)

    async def _make(self, change: Change) -> rollout_pb2.RolloutStatus:
        record = change.record
        if not await asyncio.to_thread(self._store.compare_and_swap, record, change.entry):
            raise await self._lost(record)
        self._replica.adopt(record)
        return await self._status(record)

    async def _lost(self, record: ModelRecord) -> RaceLostError:
        last = await asyncio.to_thread(self._store.read_history, record.model, record.generation - 1, 1)
        if not last:
            return RaceLostError("", f"the record of {record.model} changed meanwhile; look again")
        entry = last[0][1]
        winner = entry.actor or "an operator"
        return RaceLostError(
            winner, f"{winner} changed it first: rollout {entry.rollout} was {entry.event}; look again"
        )

    async def _status(self, record: ModelRecord) -> rollout_pb2.RolloutStatus:
        rollout, results, checks = record.rollout, None, ""
        if rollout is not None and rollout.phase in (Phase.RUNNING, Phase.SETTLING):
            rows = await asyncio.to_thread(self._store.read_arm_statistics, rollout.id)
            try:
                results = judge_stage(rollout, rows, self._settings.judge)
            except StatisticsError as error:
                unreadable = Check("statistics", "error", str(error))
                checks = msgspec.json.encode((unreadable,)).decode()
        elif rollout is not None and not rollout.active:
            last = await asyncio.to_thread(
                self._store.read_history, record.model, max(0, record.generation - 1), 1
            )
            checks = last[0][1].checks if last else ""
        lease = await asyncio.to_thread(self._store.read_lease, f"leader/{record.model}")
        served = self._served()
        named = int(served.model_versions.get(record.model, 0))
        stable = record.stable_version(served.dataset, named)
        return status_message(record, stable, results, checks, lease, self._clock())

    def _model(self, requested: str) -> str:
        """The requested model. Raises `PreconditionError` where it is not one that can be rolled out."""
        model = requested or self._replica.model
        if model != self._replica.model:
            raise PreconditionError(
                "NOT_ROLLED_OUT",
                model,
                f"{model} cannot be rolled out apart from a snapshot: only the ranking model "
                f"{self._replica.model} can. The vectors of a retrieval model lie in the snapshot's tables; "
                "build and publish a snapshot with it",
            )
        return model

    def _plan(self, request: rollout_pb2.StartRolloutRequest) -> Plan:
        default = self._settings.plan()
        return Plan(
            stages=tuple(
                StagePlan(stage.weight_bp, stage.min_duration_s, stage.min_samples)
                for stage in request.stages
            )
            or default.stages,
            deadline_s=request.deadline_s or default.deadline_s,
            settle_s=request.settle_s if request.HasField("settle_s") else default.settle_s,
        )


def _allowed(change: Callable[[], Change]) -> Change:
    try:
        return change()
    except TransitionNotAllowed as error:
        raise PreconditionError("STATE", error.rollout, str(error)) from error


def _text_faults(request: Message) -> list[FieldViolation]:
    """Texts that are too long; they are refused before any of them is used or repeated."""
    return [
        FieldViolation(field, f"has {len(text):,} characters; at most {limit} are allowed")
        for field, limit in _MAX_CHARACTERS.items()
        if len(text := text_field(request, field)) > limit
    ]


def _refuse_long_texts(request: Message) -> None:
    faults = _text_faults(request)
    if faults:
        raise CallerError(faults)


def _plan_faults(request: rollout_pb2.StartRolloutRequest) -> list[FieldViolation]:
    faults = []
    times = [("deadline_s", request.deadline_s), ("settle_s", request.settle_s)]
    if len(request.stages) > MAX_STAGES:
        faults.append(FieldViolation("stages", f"are {len(request.stages)}; at most {MAX_STAGES} are"))
    for position, stage in enumerate(request.stages[:MAX_STAGES]):
        at = f"stages[{position}]"
        times.append((f"{at}.min_duration_s", stage.min_duration_s))
        if stage.min_samples < 0:
            faults.append(FieldViolation(f"{at}.min_samples", "must be at least 0"))
    for field, seconds in times:
        if not 0 <= seconds <= _MAX_SECONDS:
            faults.append(FieldViolation(field, f"is {seconds}; 0 to {_MAX_SECONDS:,} seconds are possible"))
    weights = tuple(stage.weight_bp for stage in request.stages[:MAX_STAGES])
    problem = stages_problem(weights) if weights else ""
    if problem:
        faults.append(FieldViolation("stages", problem))
    return faults
