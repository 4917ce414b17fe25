"""A replica's side of rollouts: follows the record, assigns shoppers, counts what the arms answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rollout.arms import Arm, RequestVersions, arm_of
from rollout.counting import ArmCounts, all_scores, usable_latency_ms
from rollout.metrics import RolloutMetrics
from rollout.record import WHOLE, ModelRecord, Phase, Rollout
from rollout.settings import RolloutSettings
from rollout.standby import Standby
from rollout.store import RolloutStore, RolloutStoreError

logger = logging.getLogger(__name__)

CANDIDATE_DEGRADED = "ranking:candidate"
"""Names in `degraded` that the candidate failed and the stable version scored the answer."""
NO_ARMS: Mapping[str, str] = {}


class Served(NamedTuple):
    """The snapshot that answers: its data set, and the model versions it names."""

    dataset: str
    model_versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Assigned:
    """How one request is answered: by which versions, and which arms its answer names."""

    versions: Mapping[str, str]
    arms: Mapping[str, str]


class ReplicaRollouts:
    """Rollouts of one model in one replica. Everything but the store's calls belongs to the event loop.

    A replica that cannot read the record for a while no longer asks the candidate: it would not learn of a
    rollback. One that has not read it even once serves what Triton has (see `standby`).
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
        """Takes the record over as it is now, and hands on what was counted since the last time."""
        try:
            self.adopt(await asyncio.to_thread(self._store.read, self.model))
            await self._hand_on()
        except RolloutStoreError as error:
            if not self._lost:
                logger.error(
                    "the record of rollouts cannot be followed: %s; %s until it can",
                    error,
                    "no candidate is asked" if self._has_read else "versions that Triton has serve",
                )
            self._lost = True
            self._metrics.store_failures.inc()
            return
        if self._lost:
            logger.info("the record of rollouts can be followed again")
        self._lost = False

    def stand_by(self, standby: Standby) -> None:
        """What to serve until the record is read for the first time."""
        self._standby = standby

    def adopt(self, record: ModelRecord) -> None:
        """Acts on `record` from the next request on; an older one than the present is passed over."""
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

    def assign(self, served: Served, user_id: str) -> Assigned:
        """How to answer one scene of a shopper's request; empty `user_id`: anonymous."""
        versions = self._stable_versions(served)
        rollout = self.record.active
        if rollout is None or not self._fits(rollout, served):
            return Assigned(versions, NO_ARMS)
        if rollout.shadows:
            if self._takes_copy():
                return Assigned(RequestVersions(versions, rollout, Arm.SHADOW), NO_ARMS)
            return Assigned(versions, NO_ARMS)
        arm = arm_of(rollout, user_id)
        if arm is None or (arm is Arm.CANDIDATE and self._out_of_touch()):
            return Assigned(versions, NO_ARMS)
        return Assigned(RequestVersions(versions, rollout, arm), {rollout.id: arm.value})

    def answered(
        self,
        versions: Mapping[str, str],
        user_id: str,
        latency_ms: float,
        *,
        shown: int,
        page_size: int,
        degraded: Sequence[str],
    ) -> None:
        """Counts an answer in its arm. `user_id`: for an anonymous shopper, the request's id."""
        counts = self._counts_of(versions)
        if counts is None or not isinstance(versions, RequestVersions):
            return
        stage = versions.rollout.counted_stage
        arm = counts.arm(stage, versions.arm)
        # Whoever is shown something may click on it, whichever version chose it: arms are assigned.
        arm.observe_feedback(user_id, impressions=shown)
        self._metrics.answers[versions.arm, "fallback" if versions.failure else "ok"].inc()
        concurrent = versions.rollout.weight_bp < WHOLE
        if versions.failure and not versions.asked and not concurrent:
            # The answers of a pause all say what the few failures before it said; without a concurrent
            # baseline they would pass for as many failures more, and a moment in which all is slow for one.
            return
        # Without a concurrent baseline only this tells the candidate's failures from an outage of all.
        own = bool(versions.failure) and "ranking" not in degraded
        less = bool(degraded) if concurrent else own
        scores = all_scores(versions.rejected or [part.scores for part in versions.parts])
        arm.observe_request(
            user_id,
            usable_latency_ms(latency_ms),
            shown=shown,
            page_size=page_size,
            degraded=less,
            scores=scores,
        )

    def failed(self, versions: Mapping[str, str], user_id: str, latency_ms: float) -> None:
        """Counts a request of an arm that ended without an answer."""
        counts = self._counts_of(versions)
        if counts is None or not isinstance(versions, RequestVersions):
            return
        arm = counts.arm(versions.rollout.counted_stage, versions.arm)
        arm.observe_request(user_id, usable_latency_ms(latency_ms), shown=0, page_size=0, error=True)
        self._metrics.answers[versions.arm, "error"].inc()

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

    async def _hand_on(self) -> None:
        counts = self._counts
        rows = counts.take_changed() if counts is not None else []
        if counts is None or not rows:
            return
        try:
            await asyncio.to_thread(self._store.put_arm_statistics, counts.rollout, rows)
        except RolloutStoreError:
            counts.put_back(rows)
            raise

    def _counts_of(self, versions: Mapping[str, str]) -> ArmCounts | None:
        if not isinstance(versions, RequestVersions) or versions.arm is Arm.SHADOW:
            return None
        counts = self._counts
        return counts if counts is not None and counts.rollout == versions.rollout.id else None

    def _stable_versions(self, served: Served) -> Mapping[str, str]:
        named = served.model_versions.get(self.model, "")
        record = self.record
        if not named or (self._has_read and record.promotion is None and record.active is None):
            return served.model_versions
        source = record if self._has_read else self._standby
        stable = str(source.stable_version(served.dataset, int(named)))
        return served.model_versions if stable == named else {**served.model_versions, self.model: stable}

    def _fits(self, rollout: Rollout, served: Served) -> bool:
        return not misfit(rollout, served) and rollout.phase is not Phase.PREPARING

    def _takes_copy(self) -> bool:
        self._shadow_credit += self._settings.shadow.share
        if self._shadow_credit < 1.0:
            return False
        self._shadow_credit -= 1.0
        return True

    def _out_of_touch(self) -> bool:
        return self._clock() - self._read_at > 2 * self._settings.lease_s


def misfit(rollout: Rollout, served: Served) -> str:
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
