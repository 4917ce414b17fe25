"""Rollouts of the ranking model in one replica, as used by service, ingress and event loop."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.verdicts.gate import VerdictGate
from recall.query import Query
from rollout.breaker import CandidateBreaker
from rollout.controller import RolloutController
from rollout.guarded_scorer import GuardedScorer, VersionedScorer
from rollout.metrics import RolloutMetrics
from rollout.operations import RolloutOperations
from rollout.preparation import CandidateOnTriton, Readiness
from rollout.recorded import RecordedRequests
from rollout.replica import CANDIDATE_DEGRADED, ReplicaRollouts, ServingSnapshot
from rollout.settings import RolloutSettings
from rollout.shadow import ShadowScoring
from rollout.standby import read_standby
from rollout.store import RolloutStore
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.events import AttributedEvent
from router.ranking.settings import TritonClientSettings
from snapshot.event_codes import PURCHASE, VIEW
from state.attribution import Attribution
from triton_repo.repository import ModelRepository


class Rollouts:
    """Rollouts in one replica. `scorer` is used by the pipelines, `shadow` is one of the side effects."""

    def __init__(
        self,
        scorer: VersionedScorer,
        ranking: TritonClientSettings,
        settings: RolloutSettings,
        store: RolloutStore,
        metrics: ProcessMetrics,
        verdicts: VerdictGate | None = None,
    ) -> None:
        """Creates what one replica needs; on the event loop that it serves on.

        Args:
            scorer: scores by the version that a query names.
            ranking: how Triton is called.
            settings: of rollouts.
            store: where rollouts are durable; closed by `close`.
            metrics: of this process.
            verdicts: of which a candidate needs one that passed; None = it needs none.
        """
        self._settings = settings
        self._store = store
        self._verdicts = verdicts
        self._plain_scorer = scorer
        self._triton_url = ranking.url
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        own_metrics = metrics.group(RolloutMetrics)
        self._replica = ReplicaRollouts(ranking.model, store, settings, self._name, own_metrics)
        self._recorded = RecordedRequests(settings.preparation.requests)
        self.scorer = GuardedScorer(
            scorer,
            CandidateBreaker(settings.guard, asyncio.get_running_loop().time),
            self._recorded,
            ranking.score_timeout_ms * settings.guard.timeout_share / 1000.0,
        )
        self.shadow = ShadowScoring(self._replica, scorer, settings, own_metrics)
        self._operations: RolloutOperations | None = None

    async def follow_record(self) -> None:
        """Reads the record for the first time, so that a promotion holds from the first answer on.

        Until the store answers, the versions that Triton has are served.
        """
        await self._replica.poll()
        if not self._replica.has_read:
            repository = ModelRepository(self._settings.repository)
            self._replica.stand_by(await asyncio.to_thread(read_standby, repository, self._replica.model))

    def begin(self, live: LiveEngine, readiness: Readiness) -> list[Coroutine[Any, Any, None]]:
        """The background work to run while the replica serves `live`."""

        def served() -> ServingSnapshot:
            return serving_snapshot(live.current)

        candidate = CandidateOnTriton(
            ModelRepository(self._settings.repository),
            self._triton_url,
            readiness,
            self._plain_scorer,
            self._recorded.recent,
            self._settings,
        )
        self._operations = RolloutOperations(
            self._replica, self._store, candidate, served, self._settings, verdicts=self._verdicts
        )
        controller = RolloutController(
            self._replica, self._name, self._store, candidate, served, self._settings
        )
        return [self._replica.follow(), self._forget_other_data(live), controller.run()]

    @property
    def operations(self) -> RolloutOperations:
        """What operators may do. Raises RuntimeError before `begin`."""
        if self._operations is None:
            raise RuntimeError("rollouts have not begun")
        return self._operations

    def under_rollout(self, query: Query, engine: Engine) -> Query:
        """The query with the versions and the ticket of its shopper's arm."""
        assigned = self._replica.assign(serving_snapshot(engine), query.user_id)
        if assigned.versions is query.model_versions:
            return query
        return replace(
            query,
            model_versions=assigned.versions,
            arms={**query.arms, **assigned.arms},
            rollout=assigned.ticket,
        )

    def degraded(self, query: Query) -> tuple[str, ...]:
        """Names for the answer's `degraded`: that the candidate version failed to score it."""
        failed = query.rollout is not None and query.rollout.failure
        return (CANDIDATE_DEGRADED,) if failed else ()

    def answered(
        self,
        query: Query,
        request_id: str,
        latency_ms: float,
        *,
        shown: int,
        page_size: int,
        degraded: Sequence[str],
    ) -> None:
        """Counts an answer in its arm, where it has one."""
        self._replica.answered(
            query.rollout,
            query.user_id or request_id,
            latency_ms,
            shown=shown,
            page_size=page_size,
            degraded=degraded,
        )

    def failed(self, query: Query, request_id: str, latency_ms: float) -> None:
        """Counts a request that ended without an answer in its arm, where it has one."""
        self._replica.failed(query.rollout, query.user_id or request_id, latency_ms)

    def count_feedback(self, stored: Sequence[AttributedEvent]) -> None:
        """Counts those of the events that belong to answers of a rollout's arms.

        Args:
            stored: events that no replica has stored before; one sent again, to another replica too, is left
                out.
        """
        if not self._replica.is_counting:
            return
        for event, token in stored:
            if event.event in (VIEW, PURCHASE):
                self._replica.feedback(
                    token.arms,
                    token.request_id,
                    event.user_id,
                    event.item_id,
                    bought=event.event == PURCHASE,
                )

    def count_rating(self, token: Attribution, user_id: str, satisfied: bool) -> None:
        """Counts a stored rating of an answer with this token, where one of a rollout's arms made it."""
        self._replica.rated(token.arms, token.request_id, user_id, satisfied=satisfied)

    async def close(self) -> None:
        """Writes what was counted last and closes the store."""
        await self._replica.poll()
        await asyncio.to_thread(self._store.close)

    async def _forget_other_data(self, live: LiveEngine) -> None:
        dataset = live.current.snapshot.manifest.dataset
        while True:
            await asyncio.sleep(self._settings.poll_interval_s)
            if live.current.snapshot.manifest.dataset != dataset:
                dataset = live.current.snapshot.manifest.dataset
                self._recorded.forget()


def serving_snapshot(engine: Engine) -> ServingSnapshot:
    """What rollouts need of the engine that answers."""
    return ServingSnapshot(engine.snapshot.manifest.dataset, engine.model_versions)
