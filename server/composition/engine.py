"""The engine over the published snapshot, and the watch that replaces it when another is published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import faiss
from tritonclient.grpc.aio import InferenceServerClient

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.metrics import StageMetrics
from pipeline.scoring import Split
from recall.channel import Services
from rollout.rollouts import Rollouts
from router.engine.engine import Engine, EngineBuilder
from router.engine.live import LiveEngine
from router.engine.models import TritonModels
from router.engine.snapshot_metrics import SnapshotMetrics
from router.engine.snapshot_watch import SnapshotWatch
from router.engine.warm_up import warm_up
from router.ranking.interests import TritonInterests
from router.scenes.load import Scenes
from router.scenes.watch import SceneWatch
from server.composition.ranking import Ranking
from server.settings import RouterSettings
from snapshot.store import SnapshotStore


def engine_builder(
    settings: RouterSettings, ranking: Ranking, rollouts: Rollouts, metrics: StageMetrics
) -> EngineBuilder:
    """Builds engines over snapshots; the ranking model's version is chosen by `rollouts`."""
    triton = settings.ranking
    return EngineBuilder(
        recall=settings.recall,
        services=Services(TritonInterests(ranking.triton, triton).embed_history),
        scorers={**ranking.scorers, triton.model: rollouts.scorer},
        metrics=metrics,
        split=Split(triton.part_size, triton.max_parts),
        tables=settings.tables,
    )


async def open_engine(
    settings: RouterSettings, builder: EngineBuilder, snapshots: SnapshotStore, scenes: Scenes
) -> LiveEngine:
    """Opens the published snapshot. Raises `SnapshotError` where there is none that can be served."""
    live = await asyncio.to_thread(lambda: LiveEngine(builder, snapshots.open_current(), scenes))
    # OpenMP keeps its number of threads per thread: what a channel set while it was opened in another thread
    # does not hold in this one, which searches, and spinning threads would triple the cost of a search.
    faiss.omp_set_num_threads(settings.recall.mind.threads)
    return live


def snapshot_watch(
    settings: RouterSettings,
    snapshots: SnapshotStore,
    live: LiveEngine,
    readiness: InferenceServerClient,
    metrics: ProcessMetrics,
    configuration: Sequence[SceneWatch],
) -> SnapshotWatch:
    """Replaces the engine when another snapshot is published and Triton serves its models.

    The watches of `configuration` then consider again what they refused.
    """

    def report(outcome: Literal["loaded", "refused"], engine: Engine) -> None:
        report_snapshot(metrics, outcome, engine)
        if outcome == "loaded":
            for watch in configuration:
                # An edit may have been refused for a table or channel that this snapshot has.
                watch.retry()

    return SnapshotWatch(snapshots, live, warm_up, TritonModels(readiness), settings.snapshots, report)


def report_snapshot(metrics: ProcessMetrics, outcome: Literal["loaded", "refused"], engine: Engine) -> None:
    """Counts a snapshot that was loaded or refused, and records which one serves; `engine`: what serves."""
    snapshots = metrics.group(SnapshotMetrics)
    snapshots.loads[outcome,].inc()
    created = datetime.fromisoformat(engine.snapshot.manifest.created_at).timestamp()
    snapshots.serve(engine.snapshot_id, created, time.time())
