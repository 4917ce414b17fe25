"""Scores copies of answered requests by both versions, once the answers have left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from pipeline.stages import DependencyError
from recall.query import Query
from rollout.arms import Arm, RequestVersions
from rollout.counting import ArmCounts, usable_latency_ms
from rollout.guarded_scorer import VersionedScorer
from rollout.metrics import RolloutMetrics
from rollout.overlap import top_k_overlap
from rollout.record import Rollout
from rollout.replica import ReplicaRollouts
from rollout.settings import RolloutSettings


class ShadowScoring:
    """The side effect that compares the candidate with the stable version on what shoppers asked.

    Both are asked again, in turns of who goes first, so that their times are taken alike: after the answer,
    one at a time. What exceeds the concurrency is dropped and counted.
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

    async def after(self, query: Query, response: object) -> None:
        """Compares the versions on one request, where it was chosen for that."""
        versions = query.model_versions
        counts = self._replica.counts
        if not isinstance(versions, RequestVersions) or versions.arm is not Arm.SHADOW:
            return
        if counts is None or counts.rollout != versions.rollout.id or not versions.parts:
            return
        if self._under_way >= self._settings.shadow.concurrency:
            self._metrics.copies["dropped",].inc()
            return
        self._under_way += 1
        try:
            await self._compare(query, versions, counts)
        finally:
            self._under_way -= 1

    async def _compare(self, query: Query, versions: RequestVersions, counts: ArmCounts) -> None:
        self._copies += 1
        rollout, stage = versions.rollout, versions.rollout.counted_stage
        user = query.user_id or f"copy {self._copies}"
        order = (Arm.CANDIDATE, Arm.BASELINE) if self._copies % 2 else (Arm.BASELINE, Arm.CANDIDATE)
        answers: dict[Arm, NDArray[np.float32]] = {}
        for arm in order:
            began = self._clock()
            scores = await self._scores(query, rollout, arm, [part.candidates for part in versions.parts])
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

    async def _scores(
        self, query: Query, rollout: Rollout, arm: Arm, parts: list[Candidates]
    ) -> NDArray[np.float32] | None:
        version = rollout.candidate if arm is Arm.CANDIDATE else rollout.stable
        asking = replace(query, model_versions={**query.model_versions, rollout.model: str(version)})
        timeout_s = self._settings.shadow.timeout_ms / 1000.0
        try:
            async with asyncio.timeout(timeout_s):
                scores = [await self._scorer.score(asking, part, timeout_s) for part in parts]
        except (DependencyError, TimeoutError):
            return None
        return np.concatenate(scores)
