"""The client of Triton and the scorers over it, the ranking model's under the control of rollouts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.verdicts.gate import VerdictGate
from models.ranker_inputs import reads_ranker_inputs
from models.registry import MODELS
from rollout.registry import open_rollout_store
from rollout.rollouts import Rollouts
from router.ranking.circuit_breaker import CircuitBreaker
from router.ranking.circuit_metrics import CircuitMetrics
from router.ranking.ranker_model import ranker_feeds
from router.ranking.settings import InReplicaSettings
from router.ranking.triton_client import TritonClient
from router.ranking.triton_scorer import TritonScorer
from router.service.compute_limiter import ComputeLimiter
from server.settings import RouterSettings
from triton_repo.local_graphs import LocalGraphs


@dataclass(frozen=True)
class Ranking:
    """What scores candidates."""

    triton: TritonClient
    scorers: Mapping[str, TritonScorer]
    """By model."""


def scoring_models(settings: RouterSettings) -> list[str]:
    """Models that a scene's ranking and prerank may name: those of the settings, and every ranker."""
    rankers = [name for name, kind in MODELS.items() if reads_ranker_inputs(kind.tensors)]
    return list(dict.fromkeys((settings.ranking.model, settings.ranking.prerank_model, *rankers)))


def build_ranking(settings: RouterSettings, limiter: ComputeLimiter, metrics: ProcessMetrics) -> Ranking:
    """Builds the client of Triton and a scorer per model; Triton need not be up."""
    breaker = CircuitBreaker(settings.ranking.breaker, report=metrics.group(CircuitMetrics).observe)
    triton = TritonClient(
        settings.ranking, breaker, limiter.released_while, local=_local_graphs(settings.ranking.in_replica)
    )
    scorers = {model: _scorer(triton, settings, model) for model in scoring_models(settings)}
    return Ranking(triton, scorers)


def _local_graphs(settings: InReplicaSettings) -> LocalGraphs | None:
    if settings.folder is None or not settings.models:
        return None
    return LocalGraphs(settings.folder, settings.models, settings.largest_mib * 2**20)


def _scorer(triton: TritonClient, settings: RouterSettings, model: str) -> TritonScorer:
    if model in MODELS and reads_ranker_inputs(MODELS[model].tensors):
        return TritonScorer(triton, settings.ranking, model, ranker_feeds)
    return TritonScorer(triton, settings.ranking, model)


async def open_rollouts(settings: RouterSettings, ranking: Ranking, metrics: ProcessMetrics) -> Rollouts:
    """Opens the record of rollouts and reads it. Raises `RolloutStoreError` or OSError where it cannot."""
    store = await asyncio.to_thread(open_rollout_store, settings.rollout.url, settings.state.redis)
    rollouts = Rollouts(
        ranking.scorers[settings.ranking.model],
        settings.ranking,
        settings.rollout,
        store,
        metrics,
        VerdictGate(settings.sandbox.folder) if settings.sandbox.rollouts else None,
    )
    await rollouts.follow_record()
    return rollouts
