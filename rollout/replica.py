"""Rollouts in one replica: follows the record, assigns shoppers to arms, counts the arms' answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from recall.rollout_ticket import RolloutTicket
from rollout.arms import Arm, arm_of, ticket_for
from rollout.counting import ArmCounts, all_scores, usable_latency_ms
from rollout.errors import RolloutStoreError
from rollout.metrics import RolloutMetrics
from rollout.record import ModelRecord, Phase, Rollout
from rollout.settings import RolloutSettings
from rollout.standby import Standby
from rollout.store import RolloutStore
from state.feedback_codes import RATED

logger = logging.getLogger(__name__)

CANDIDATE_DEGRADED = "ranking:candidate"
"""Names in `degraded` that the candidate failed and the stable version scored the answer."""


class ServingSnapshot(NamedTuple):
    """What rollouts need of the snapshot that answers: its data set, and the model versions it names."""

    dataset: str
    model_versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Assigned:
    """How one query is answered.

    Attributes:
        versions: model → version that scores it.
        arms: experiment → arm that its answer names.
        ticket: its part in the rollout; None where it takes part in none.
    """

    versions: Mapping[str, str]
    arms: Mapping[str, str] = field(default_factory=dict)
    ticket: RolloutTicket | None = None


class ReplicaRollouts:
    """Rollouts of one model in one replica. Everything but the store's calls belongs to the event loop.

    A replica that cannot read the record for a while stops calling the candidate: it would not learn of a
    rollback. Until it has read the record once it serves the versions that Triton has (see `standby`).
    """

    def __init__(
        self,
        model: str,
        store: RolloutStore,
        settings: RolloutSettings,
        replica: str,
        metrics: RolloutMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`replica` names this process among all there were; `clock`: monotonic seconds."""
        self.model = model
        self.record = ModelRecord(model)
        self._store = store
        self._settings = settings
        self._replica = replica
        self._metrics = metrics
        self._clock = clock
        self._read_at = clock()
        self._counts: ArmCounts | None = None
        self._shadow_credit = 0.0
        self._lost = False
        self._has_read = False
        self._standby = Standby()

    async def follow(self) -> None:
        """Polls until cancelled."""
        while True:
            await asyncio.sleep(self._settings.poll_interval_s)
            await self.poll()

    async def poll(self) -> None:
        """Adopts the record as it is now, and writes what was counted since the last time."""
        try:
            self.adopt(await asyncio.to_thread(self._store.read, self.model))
            await self._write_counts()
        except RolloutStoreError as error:
            if not self._lost:
                logger.error(
                    "the record of rollouts cannot be followed: %s; %s until it can",
                    error,
                    "no candidate is called" if self._has_read else "the versions that Triton has are served",
                )
            self._lost = True
            self._metrics.store_failures.inc()
            return
        if self._lost:
            logger.info("the record of rollouts can be followed again")
        self._lost = False

    def stand_by(self, standby: Standby) -> None:
        """Sets what to serve until the record is read for the first time."""
        self._standby = standby

    def adopt(self, record: ModelRecord) -> None:
        """Acts on `record` from the next request on; an older record than the present is ignored."""
        self._read_at = self._clock()
        self._has_read = True
        if record.generation < self.record.generation:
            return
        self.record = record
        rollout = record.active
        if rollout is None:
            self._counts = None
        elif self._counts is None or self._counts.rollout != rollout.id:
            self._counts = ArmCounts(rollout.id, self._replica)
        self._metrics.follow(record)

    def assign(self, served: ServingSnapshot, user_id: str) -> Assigned:
        """How to answer one scene of a shopper's request; empty `user_id`: anonymous."""
        versions = self._stable_versions(served)
        rollout = self.record.active
        if rollout is None or not self._fits(rollout, served):
            return Assigned(versions)
        arm = arm_of(rollout, user_id)
        if rollout.shadows and self._takes_copy():
            arm = Arm.SHADOW
        if arm is None or (arm is Arm.CANDIDATE and self._out_of_touch()):
            return Assigned(versions)
        scored_by = rollout.candidate if arm is Arm.CANDIDATE else rollout.stable
        return Assigned(
            versions={**versions, rollout.model: str(scored_by)},
            arms={} if arm is Arm.SHADOW else {rollout.id: arm.value},
            ticket=ticket_for(rollout, arm),
        )

    def answered(
        self,
        ticket: RolloutTicket | None,
        user_id: str,
        latency_ms: float,
        *,
        shown: int,
        page_size: int,
        degraded: Sequence[str],
    ) -> None:
        """Counts an answer in its arm. `user_id`: for an anonymous shopper, the request's id."""
        counts = self._counts_of(ticket)
        if counts is None or ticket is None:
            return
        arm = counts.arm(ticket.stage, Arm(ticket.arm))
        # Clicks belong to the assigned arm, whichever version scored the answer.
        arm.observe_feedback(user_id, impressions=shown)
        self._metrics.answers[ticket.arm, "fallback" if ticket.failure else "ok"].inc()
        if ticket.failure and not ticket.candidate_called and not ticket.has_baseline:
            # While the breaker is open every answer falls back because of the few failures before it. Without
            # a concurrent baseline each would count as one more failure, and a short slowdown of everything
            # would look like a failing candidate.
            return
        # Without a concurrent baseline only this distinguishes the candidate's failures from a outage.
        candidate_failed = bool(ticket.failure) and "ranking" not in degraded
        counts_as_degraded = bool(degraded) if ticket.has_baseline else candidate_failed
        scores = all_scores(ticket.rejected or [part.scores for part in ticket.parts])
        arm.observe_request(
            user_id,
            usable_latency_ms(latency_ms),
            shown=shown,
            page_size=page_size,
            degraded=counts_as_degraded,
            scores=scores,
        )

    def failed(self, ticket: RolloutTicket | None, user_id: str, latency_ms: float) -> None:
        """Counts a request of an arm that ended without an answer."""
        counts = self._counts_of(ticket)
        if counts is None or ticket is None:
            return
        arm = counts.arm(ticket.stage, Arm(ticket.arm))
        arm.observe_request(user_id, usable_latency_ms(latency_ms), shown=0, page_size=0, error=True)
        self._metrics.answers[ticket.arm, "error"].inc()

    def feedback(
        self, arms: Mapping[str, str], request_id: str, user_id: str, item_id: str, *, bought: bool
    ) -> None:
        """Counts that a shopper opened, or bought, an item of an answer of one of the arms."""
        counts = self._counts
        arm = arms.get(counts.rollout) if counts is not None else None
        rollout = self.record.active
        if counts is None or arm is None or rollout is None:
            return
        if not counts.is_new_feedback(request_id, item_id, int(bought)):
            return
        observed = counts.arm(rollout.counted_stage, Arm(arm))
        observed.observe_feedback(user_id, clicks=int(not bought), conversions=int(bought))

    def rated(self, arms: Mapping[str, str], request_id: str, user_id: str, *, satisfied: bool) -> None:
        """Counts that a shopper rated an answer of one of the arms, for the first time."""
        counts = self._counts
        arm = arms.get(counts.rollout) if counts is not None else None
        rollout = self.record.active
        if counts is None or arm is None or rollout is None:
            return
        if counts.is_new_feedback(request_id, "", RATED):
            counts.arm(rollout.counted_stage, Arm(arm)).observe_rating(user_id, satisfied=satisfied)

    @property
    def counts(self) -> ArmCounts | None:
        """The counts of the rollout that is under way."""
        return self._counts

    @property
    def has_read(self) -> bool:
        """Whether the record was ever read."""
        return self._has_read

    @property
    def is_counting(self) -> bool:
        """Whether feedback can belong to a rollout at all."""
        return self._counts is not None

    async def _write_counts(self) -> None:
        counts = self._counts
        rows = counts.take_changed() if counts is not None else []
        if counts is None or not rows:
            return
        try:
            await asyncio.to_thread(self._store.put_arm_statistics, counts.rollout, rows)
        except RolloutStoreError:
            counts.put_back(rows)
            raise

    def _counts_of(self, ticket: RolloutTicket | None) -> ArmCounts | None:
        """The counts that an answer with this ticket is added to; None where it is not counted."""
        if ticket is None or ticket.arm == Arm.SHADOW:
            return None
        counts = self._counts
        return counts if counts is not None and counts.rollout == ticket.rollout_id else None

    def _stable_versions(self, served: ServingSnapshot) -> Mapping[str, str]:
        named = served.model_versions.get(self.model, "")
        record = self.record
        if not named or (self._has_read and record.promotion is None and record.active is None):
            return served.model_versions
        source = record if self._has_read else self._standby
        stable = str(source.stable_version(served.dataset, int(named)))
        return served.model_versions if stable == named else {**served.model_versions, self.model: stable}

    def _fits(self, rollout: Rollout, served: ServingSnapshot) -> bool:
        return not misfit(rollout, served) and rollout.phase is not Phase.PREPARING

    def _takes_copy(self) -> bool:
        self._shadow_credit += self._settings.shadow.share
        if self._shadow_credit < 1.0:
            return False
        self._shadow_credit -= 1.0
        return True

    def _out_of_touch(self) -> bool:
        return self._clock() - self._read_at > 2 * self._settings.lease_s


def misfit(rollout: Rollout, served: ServingSnapshot) -> str:
    """Why a rollout cannot go on with the snapshot that is served now; "" where it can."""
    if served.dataset != rollout.dataset:
        return (
            f"a snapshot of data set {served.dataset} took over; versions {rollout.stable} and "
            f"{rollout.candidate} were trained on {rollout.dataset}, where item ids mean other items"
        )
    named = served.model_versions.get(rollout.model, "")
    if named != str(rollout.manifest_version):
        return (
            f"a snapshot took over that names {rollout.model} {named or 'not at all'} instead of "
            f"{rollout.manifest_version}"
        )
    return ""
