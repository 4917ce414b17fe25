"""Rollouts of the ranking model in one replica: what service, ingress and event loop hold of them."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from foundation.telemetry.metrics.registry import RouterMetrics
from protos.shopfront.v1 import event_pb2
from recall.query import Query
from rollout.arms import RequestVersions
from rollout.breaker import CandidateBreaker
from rollout.controller import RolloutController
from rollout.guarded_scorer import GuardedScorer, VersionedScorer
from rollout.metrics import RolloutMetrics
from rollout.operations import RolloutOperations
from rollout.preparation import CandidateOnTriton, Readiness
from rollout.recorded import RecordedRequests
from rollout.replica import CANDIDATE_DEGRADED, ReplicaRollouts, Served
from rollout.settings import RolloutSettings
from rollout.shadow import ShadowScoring
from rollout.standby import read_standby
from rollout.store import RolloutStore
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.ranking.settings import TritonClientSettings
from state.attribution import AttributionCodec, AttributionError
from triton_repo.repository import ModelRepository

_FEEDBACK = {event_pb2.EVENT_TYPE_VIEW: False, event_pb2.EVENT_TYPE_PURCHASE: True}


class Rollouts:
    """Everything of one replica. `scorer` goes into the pipelines, `shadow` among the side effects."""

    def __init__(
        self,
        scorer: VersionedScorer,
        ranking: TritonClientSettings,
        settings: RolloutSettings,
        store: RolloutStore,
        metrics: RouterMetrics,
    ) -> None:
        self._settings = settings
        self._store = store
        self._plain_scorer = scorer
        self._triton_url = ranking.url
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        own_metrics = RolloutMetrics(metrics)
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

        Where the store does not answer, what Triton has serves until it does.
        """
        await self._replica.poll()
        if not self._replica.has_read:
            repository = ModelRepository(self._settings.repository)
            self._replica.stand_by(await asyncio.to_thread(read_standby, repository, self._replica.model))

    def begin(self, live: LiveEngine, readiness: Readiness) -> list[Coroutine[Any, Any, None]]:
        """What must run for as long as the replica serves `live`."""

        def served() -> Served:
            return served_by(live.current)

        candidate = CandidateOnTriton(
            ModelRepository(self._settings.repository),
            self._triton_url,
            readiness,
            self._plain_scorer,
            self._recorded.recent,
            self._settings,
        )
        self._operations = RolloutOperations(self._replica, self._store, candidate, served, self._settings)
        controller = RolloutController(
            self._replica, self._name, self._store, candidate, served, self._settings
        )
        return [self._replica.follow(), self._forget_other_data(live), controller.run()]

    @property
    def operations(self) -> RolloutOperations:
        """What operators may do. Raises RuntimeError before `begin`."""
        if self._operations is None:
            raise RuntimeError("rollouts are not begun")
        return self._operations

    def under_rollout(self, query: Query, engine: Engine) -> Query:
        """The query, to be answered by the version its shopper's arm is answered by."""
        assigned = self._replica.assign(served_by(engine), query.user_id)
        if assigned.versions is query.model_versions:
            return query
        return replace(query, model_versions=assigned.versions, arms={**query.arms, **assigned.arms})

    def degraded(self, query: Query) -> tuple[str, ...]:
        """What the answer must name: that the candidate did not score it though it was to."""
        versions = query.model_versions
        failed = isinstance(versions, RequestVersions) and versions.failure
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
            query.model_versions,
            query.user_id or request_id,
            latency_ms,
            shown=shown,
            page_size=page_size,
            degraded=degraded,
        )

    def failed(self, query: Query, request_id: str, latency_ms: float) -> None:
        """Counts a request that ended without an answer in its arm, where it has one."""
        self._replica.failed(query.model_versions, query.user_id or request_id, latency_ms)

    def count_feedback(self, stored: Sequence[event_pb2.Event], attribution: AttributionCodec) -> None:
        """Counts those of the events that belong to answers of a rollout's arms.

        stored  events that no replica has stored before: one sent again, to another replica too, is not
        """
        if not self._replica.is_counting:
            return
        for event in stored:
            if not event.attribution_token or event.type not in _FEEDBACK:
                continue
            try:
                token = attribution.decode(event.attribution_token)
            except AttributionError:
                # A token is read before its event is stored, unless the secret changed in between.
                continue
            self._replica.feedback(
                token.arms, token.request_id, event.user_id, event.item_id, bought=_FEEDBACK[event.type]
            )

    async def close(self) -> None:
        """Hands on what was counted last and closes the store."""
        await self._replica.poll()
        await asyncio.to_thread(self._store.close)

    async def _forget_other_data(self, live: LiveEngine) -> None:
        dataset = live.current.snapshot.manifest.dataset
        while True:
            await asyncio.sleep(self._settings.poll_interval_s)
            if live.current.snapshot.manifest.dataset != dataset:
                dataset = live.current.snapshot.manifest.dataset
                self._recorded.forget()


def served_by(engine: Engine) -> Served:
    """What rollouts need to know of the engine that answers."""
    return Served(engine.snapshot.manifest.dataset, engine.model_versions)
