"""The control loop: one replica leads, reads the counts of all, and advances a rollout or rolls it back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from rollout import transitions
from rollout.errors import CandidateUnfit, PreparationDelayed, RolloutStoreError, StatisticsError
from rollout.judging.check_results import Verdict
from rollout.judging.judge_stage import judge_stage
from rollout.preparation import CandidateOnTriton
from rollout.record import ModelRecord, Phase, Rollout
from rollout.replica import ReplicaRollouts, ServingSnapshot, misfit
from rollout.settings import RolloutSettings
from rollout.store import RolloutStore
from rollout.transitions import Change, StageAssessment

logger = logging.getLogger(__name__)

_RELOADS = 3
_PREPARE_AGAIN_S = 2.0


@dataclass(slots=True)
class _Term:
    """State of a leader while it leads one rollout; times are unix seconds."""

    error_since: float | None = None
    missing_since: float | None = None
    reloads: int = 0
    loading: asyncio.Task[None] | None = None
    prepare_again_at: float = 0.0


class RolloutController:
    """Runs in every replica; acts in the replica that holds the lease.

    A leader writes its lease's epoch into the record before it acts, and every later change is a
    compare-and-swap on what it has read: a predecessor that was only thought dead can change nothing.
    """

    def __init__(
        self,
        replica: ReplicaRollouts,
        name: str,
        store: RolloutStore,
        candidate: CandidateOnTriton,
        served: Callable[[], ServingSnapshot],
        settings: RolloutSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`name`: this replica's; `served`: the snapshot that serves here; `clock`: unix seconds."""
        self._replica = replica
        self._model = replica.model
        self._name = name
        self._store = store
        self._candidate = candidate
        self._served = served
        self._settings = settings
        self._clock = clock
        self._preparing: asyncio.Task[str] | None = None
        self._term = _Term()
        self._cleaned = ""

    async def run(self) -> None:
        """Leads while it holds the lease, until cancelled; a bug is logged and the record stays as it is."""
        lost = False
        try:
            while True:
                await asyncio.sleep(self._settings.poll_interval_s)
                try:
                    await self.tick()
                    lost = False
                except RolloutStoreError as error:
                    if not lost:
                        logger.error("rollouts cannot be led: %s", error)
                    lost = True
                except Exception:
                    logger.exception("leading the rollout of %s failed; it stays as it is", self._model)
        finally:
            self._end_term()
            await asyncio.to_thread(self._store.release_lease, self._lease_name, self._name)

    async def tick(self) -> None:
        """Reads the record once, and makes at most one change."""
        record = await asyncio.to_thread(self._store.read, self._model)
        rollout = record.active
        if rollout is None:
            self._end_term()
            await self._clean_up(record)
            return
        now = self._clock()
        lease = await asyncio.to_thread(
            self._store.hold_lease, self._lease_name, self._name, now, self._settings.lease_s
        )
        if lease.holder != self._name:
            self._end_term()
            return
        if record.epoch != lease.epoch:
            await self._swap(transitions.take_lead(record, lease.epoch, self._name, now))
            return
        change = await self._next(record, rollout, now)
        if change is not None:
            await self._swap(change)

    async def _next(self, record: ModelRecord, rollout: Rollout, now: float) -> Change | None:
        timed = transitions.timed(record, self._name, now)
        if timed is not None:
            return timed
        unsuited = misfit(rollout, self._served())
        if unsuited:
            return transitions.superseded(record, self._name, now, unsuited)
        if rollout.phase is Phase.PREPARING:
            return self._prepare(record, rollout, now)
        gone = await self._missing(rollout, now)
        if gone:
            return transitions.failed(record, self._name, now, gone)
        return await self._judge(record, rollout, now)

    def _prepare(self, record: ModelRecord, rollout: Rollout, now: float) -> Change | None:
        if self._preparing is None:
            if not rollout.paused and now >= self._term.prepare_again_at:
                self._preparing = asyncio.create_task(self._candidate.prepare(rollout))
            return None
        if not self._preparing.done():
            return None
        done, self._preparing = self._preparing, None
        try:
            found = done.result()
        except CandidateUnfit as error:
            return transitions.refused(record, self._name, now, str(error))
        except PreparationDelayed as error:
            logger.warning("preparing rollout %s is tried again: %s", rollout.id, error)
            self._term.prepare_again_at = now + _PREPARE_AGAIN_S
            return transitions.delayed(record, self._name, now, f"tried again: {error}")
        return transitions.prepared(record, self._name, now, found)

    async def _missing(self, rollout: Rollout, now: float) -> str:
        """Why the candidate counts as lost; "" where it is loaded, or may come back."""
        term = self._term
        if term.loading is not None and term.loading.done():
            done, term.loading = term.loading, None
            try:
                done.result()
            except CandidateUnfit as error:
                return f"the candidate is gone from Triton and cannot be loaded again: {error}"
            except PreparationDelayed as error:
                logger.warning("version %d of %s is not back: %s", rollout.candidate, rollout.model, error)
        missing = await self._candidate.missing(rollout)
        if f"{rollout.model} {rollout.candidate}" not in missing or len(missing) > 1:
            # Where both are missing Triton itself has failed; its watcher starts it again, without the
            # candidate.
            term.missing_since = None
            return ""
        if term.missing_since is None:
            term.missing_since = now
            if term.loading is None and term.reloads < _RELOADS:
                term.reloads += 1
                term.loading = asyncio.create_task(self._candidate.load(rollout))
        lasted = now - term.missing_since
        if lasted > self._settings.missing_grace_s:
            return (
                f"the candidate has been gone from Triton for {lasted:.0f} s, while version "
                f"{rollout.stable} is there"
            )
        return ""

    async def _judge(self, record: ModelRecord, rollout: Rollout, now: float) -> Change | None:
        rows = await asyncio.to_thread(self._store.read_arm_statistics, rollout.id)
        try:
            results = judge_stage(rollout, rows, self._settings.judge)
        except StatisticsError as error:
            assessment = self._assessment(now, 0, "error", str(error), "")
        else:
            checks = results.checks
            assessment = self._assessment(
                now,
                results.samples,
                checks.verdict,
                checks.reason,
                msgspec.json.encode(checks.checks).decode(),
            )
        if rollout.phase is Phase.SETTLING:
            if assessment.verdict == "fail":
                return transitions.failed(record, self._name, now, assessment.reason)
            return None
        return transitions.apply_assessment(record, assessment, self._settings.error_grace_s, self._name, now)

    def _assessment(
        self, now: float, samples: int, verdict: Verdict, reason: str, checks: str
    ) -> StageAssessment:
        if verdict != "error":
            self._term.error_since = None
        elif self._term.error_since is None:
            self._term.error_since = now
        return StageAssessment(samples, verdict, reason, self._term.error_since, checks)

    async def _swap(self, change: Change) -> None:
        if not await asyncio.to_thread(self._store.compare_and_swap, change.record, change.entry):
            return
        # This replica need not wait for its next poll.
        self._replica.adopt(change.record)
        entry = change.entry
        logger.info(
            "rollout %s: %s, %s at %d basis points: %s",
            entry.rollout,
            entry.event,
            entry.phase,
            entry.weight_bp,
            entry.reason,
        )

    async def _clean_up(self, record: ModelRecord) -> None:
        """Has Triton unload what the last rollout needed, once no replica uses it any more."""
        rollout = record.rollout
        if rollout is None or self._clock() - rollout.ended_at < 4 * self._settings.poll_interval_s:
            return
        if rollout.id == self._cleaned:
            return
        try:
            if await asyncio.to_thread(self._candidate.holder, self._model) != rollout.id:
                self._cleaned = rollout.id
                return
            now = self._clock()
            lease = await asyncio.to_thread(
                self._store.hold_lease, self._lease_name, self._name, now, self._settings.lease_s
            )
            if lease.holder != self._name:
                return
            served = self._served()
            named = int(served.model_versions.get(self._model, rollout.stable))
            keep = record.stable_version(served.dataset, named)
            await asyncio.to_thread(self._store.drop_arm_statistics, rollout.id)
            await asyncio.to_thread(self._candidate.release, self._model, keep, named)
        except PreparationDelayed as error:
            logger.warning("the versions of rollout %s stay loaded for now: %s", rollout.id, error)
            return
        await asyncio.to_thread(self._store.release_lease, self._lease_name, self._name)
        self._cleaned = rollout.id
        logger.info("version %s of %s stays loaded", keep, self._model)

    def _end_term(self) -> None:
        if self._term.loading is not None:
            self._term.loading.cancel()
        self._term = _Term()
        if self._preparing is not None:
            self._preparing.cancel()
            self._preparing = None

    @property
    def _lease_name(self) -> str:
        return f"leader/{self._model}"
