"""Scores copies of answered requests by both versions, once the answers have left."""

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
from rollout.replica import ReplicaRollouts
from rollout.settings import RolloutSettings


class ShadowScoring:
    """The side effect that compares the candidate with the stable version on shoppers' requests.

    Both versions score a copy after the answer has been sent, one after the other, and which goes first
    alternates, so that their times are measured under the same conditions. Copies beyond the concurrency
    are dropped and counted.
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

    def applies_to(self, query: Query, response: object) -> bool:
        """Whether the request was chosen to be copied."""
        return query.rollout is not None and query.rollout.arm == Arm.SHADOW

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
            await self._compare(query, ticket, counts)
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
        self._metrics.copies["compared",].inc()

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
