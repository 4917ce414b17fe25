"""Compares the two versions on copies of answered requests, once the answers have left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import DependencyError
from recall.query import Query
from recall.rollout_ticket import RolloutTicket
from rollout.arms import Arm, with_version
from rollout.counting import ArmCounts, usable_latency_ms
from rollout.guarded_scorer import VersionedScorer
from rollout.metrics import RolloutMetrics
from rollout.overlap import top_k_overlap
from rollout.page_difference import outside, page_difference
from rollout.record import WHOLE
from rollout.replica import ReplicaRollouts
from rollout.request_groups import groups_of
from rollout.settings import RolloutSettings


class ShadowScoring:
    """The side effect that compares the candidate with the stable version on shoppers' requests.

    In shadow both versions score a copy after the answer has been sent, one after the other, and which goes
    first alternates, so that their times are measured under the same conditions. In stages with traffic the
    stable version scores a copy of what the candidate has answered, so that what a shopper was given is
    compared, and no other call of the candidate. Copies beyond the concurrency are dropped and counted.
    """

    name = "shadow"

    def __init__(
        self,
        replica: ReplicaRollouts,
        scorer: VersionedScorer,
        settings: RolloutSettings,
        metrics: RolloutMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: monotonic seconds."""
        self._replica = replica
        self._scorer = scorer
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._under_way = 0
        self._copies = 0
        self._credit = 0.0

    def applies_to(self, query: Query, response: object) -> bool:
        """Whether the request was chosen to be copied.

        Of the candidate's answers as many as are `shadow.share` of all requests, so that the further load is
        the same in every stage: all of them while its group is smaller than that share.
        """
        ticket = query.rollout
        if ticket is None or ticket.arm == Arm.SHADOW:
            return ticket is not None
        if ticket.arm != Arm.CANDIDATE or ticket.failure or not self._settings.judge.pages.enabled:
            return False
        rollout = self._replica.record.active
        if rollout is None or rollout.id != ticket.rollout_id or rollout.weight_bp <= 0:
            return False
        self._credit += min(1.0, self._settings.shadow.share * WHOLE / rollout.weight_bp)
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    async def after(self, query: Query, response: object) -> None:
        """Compares the versions on one request, where its rollout still runs."""
        ticket = query.rollout
        counts = self._replica.counts
        if ticket is None or counts is None or counts.rollout != ticket.rollout_id or not ticket.parts:
            return
        if self._under_way >= self._settings.shadow.concurrency:
            self._metrics.copies["dropped",].inc()
            return
        self._under_way += 1
        try:
            if ticket.arm == Arm.SHADOW:
                await self._compare(query, ticket, counts)
            else:
                await self._score_again(query, ticket, counts)
        finally:
            self._under_way -= 1

    async def _compare(self, query: Query, ticket: RolloutTicket, counts: ArmCounts) -> None:
        self._copies += 1
        stage = ticket.stage
        user = query.user_id or f"copy {self._copies}"
        order = (Arm.CANDIDATE, Arm.BASELINE) if self._copies % 2 else (Arm.BASELINE, Arm.CANDIDATE)
        answers: dict[Arm, NDArray[np.float32]] = {}
        for arm in order:
            began = self._clock()
            version = ticket.candidate if arm is Arm.CANDIDATE else ticket.stable
            scores = await self._scores(with_version(query, ticket.model, version), ticket)
            elapsed_ms = usable_latency_ms((self._clock() - began) * 1000.0)
            observed = counts.arm(stage, arm)
            if scores is None:
                observed.observe_request(user, elapsed_ms, shown=0, page_size=0, error=True)
            else:
                observed.observe_request(user, elapsed_ms, shown=1, page_size=1, scores=scores)
                answers[arm] = scores
        if len(answers) < 2:
            self._metrics.copies["failed",].inc()
            return
        k = self._settings.judge.overlap.k
        counts.overlap(stage, user, top_k_overlap(answers[Arm.BASELINE], answers[Arm.CANDIDATE], k))
        self._count_pages(query, ticket, counts, answers[Arm.BASELINE], answers[Arm.CANDIDATE])

    async def _score_again(self, query: Query, ticket: RolloutTicket, counts: ArmCounts) -> None:
        """Has the stable version score what the candidate answered."""
        self._copies += 1
        stable = await self._scores(with_version(query, ticket.model, ticket.stable), ticket)
        if stable is None:
            self._metrics.copies["failed",].inc()
            return
        candidate = np.concatenate([part.scores for part in ticket.parts])
        self._count_pages(query, ticket, counts, stable, candidate)

    def _count_pages(
        self,
        query: Query,
        ticket: RolloutTicket,
        counts: ArmCounts,
        stable: NDArray[np.float32],
        candidate: NDArray[np.float32],
    ) -> None:
        self._metrics.copies["compared",].inc()
        if not (np.isfinite(stable).all() and np.isfinite(candidate).all()):
            # The check of scores fails a candidate for the first one; such scores have no order to compare.
            return
        difference = page_difference(stable, candidate, self._settings.judge.overlap.k)
        if difference is not None:
            user = query.user_id or f"copy {self._copies}"
            counts.pages(ticket.stage).observe(
                user,
                groups_of(query, difference.candidates),
                outside(difference, self._settings.judge.pages.bounds),
            )

    async def _scores(self, query: Query, ticket: RolloutTicket) -> NDArray[np.float32] | None:
        timeout_s = self._settings.shadow.timeout_ms / 1000.0
        try:
            async with asyncio.timeout(timeout_s):
                scores = [
                    await self._scorer.score(query, part.candidates, timeout_s) for part in ticket.parts
                ]
        except (DependencyError, TimeoutError):
            return None
        return np.concatenate(scores)
