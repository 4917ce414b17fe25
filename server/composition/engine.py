"""The engine over the published snapshot, and the watch that replaces it when another is published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from tritonclient.grpc.aio import InferenceServerClient

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.metrics import StageMetrics
from pipeline.scoring import Split
from recall.channel import Services
from recall.pictures.settings import SimilarLookSettings
from recall.pictures.sharded_index import Shards
from rollout.rollouts import Rollouts
from router.engine.engine import Engine, EngineBuilder
from router.engine.live import LiveEngine
from router.engine.models import TritonModels
from router.engine.snapshot_metrics import SnapshotMetrics
from router.engine.snapshot_verification import SnapshotVerification, Verified
from router.engine.snapshot_watch import SnapshotWatch
from router.ranking.model_calls import TritonModelCalls
from router.scenes.load import Scenes
from router.scenes.problems import SettingsError
from router.scenes.watch import SceneWatch
from server.composition.ranking import Ranking
from server.settings import RouterSettings
from snapshot.last_good import intact_folders, open_usable
from snapshot.manifest import SnapshotError
from snapshot.store import SnapshotStore


def engine_builder(
    settings: RouterSettings, ranking: Ranking, rollouts: Rollouts, metrics: StageMetrics
) -> EngineBuilder:
    """Builds engines over snapshots; the ranking model's version is chosen by `rollouts`."""
    triton = settings.ranking
    return EngineBuilder(
        recall=settings.recall,
        services=Services(TritonModelCalls(ranking.triton, triton).model, _open_shards),
        scorers={**ranking.scorers, triton.model: rollouts.scorer},
        metrics=metrics,
        split=Split(triton.part_size, triton.max_parts),
        tables=settings.tables,
    )


def _open_shards(folders: Sequence[Path], dimensions: int, settings: SimilarLookSettings) -> Shards:
    # Only where a snapshot has shards: a replica runs in Ray, a test of the composition need not.
    from server.composition.picture_shards import RayShards

    return RayShards(folders, dimensions, settings)


@dataclass(frozen=True, slots=True)
class Unusable:
    """The published snapshot `id`, which cannot serve, and why."""

    id: str
    fault: SnapshotError


async def open_engine(
    builder: EngineBuilder, snapshots: SnapshotStore, scenes: Scenes
) -> tuple[LiveEngine, Unusable | None]:
    """Opens the published snapshot, or the newest other one that serves where it is damaged or incomplete.

    It may be intact and lack what this router opens: another release or other settings built it.

    Returns:
        The engine, and what is wrong with the published snapshot; None where it serves.

    Raises:
        SnapshotError: there is none that can be served; the fault is the published one's.
        SettingsError: the scenes need what the snapshot does not have.
    """

    def opened() -> tuple[LiveEngine, Unusable | None]:
        usable = open_usable(snapshots)
        unusable = None if usable.damage is None else Unusable(usable.damaged, usable.damage)
        try:
            return LiveEngine(builder, usable.opened, scenes), unusable
        except SnapshotError as fault:
            unusable = unusable or Unusable(usable.opened.manifest.id, fault)
        for other in intact_folders(snapshots, besides={unusable.id, usable.opened.manifest.id}):
            with suppress(SnapshotError, SettingsError):
                return LiveEngine(builder, other, scenes), unusable
        raise unusable.fault

    return await asyncio.to_thread(opened)


def snapshot_watch(
    settings: RouterSettings,
    snapshots: SnapshotStore,
    live: LiveEngine,
    readiness: InferenceServerClient,
    metrics: ProcessMetrics,
    configuration: Sequence[SceneWatch],
    make_ready: Callable[[Engine], Awaitable[None]],
) -> SnapshotWatch:
    """Replaces the engine when another snapshot is published and Triton serves its models.

    `make_ready`: what an engine needs before it serves. The watches of `configuration` then consider again
    what they refused.
    """

    def report(outcome: Literal["loaded", "refused"], engine: Engine) -> None:
        report_snapshot(metrics, outcome, engine)
        if outcome == "loaded":
            for watch in configuration:
                # An edit may have been refused for a table or channel that this snapshot has.
                watch.retry()

    return SnapshotWatch(snapshots, live, make_ready, TritonModels(readiness), settings.snapshots, report)


def snapshot_verification(
    settings: RouterSettings,
    snapshots: SnapshotStore,
    live: LiveEngine,
    watch: SnapshotWatch,
    readiness: InferenceServerClient,
    metrics: ProcessMetrics,
    make_ready: Callable[[Engine], Awaitable[None]],
) -> SnapshotVerification:
    """Verifies the snapshot in service, and replaces it where it is damaged; `make_ready` as above."""
    counted = metrics.group(SnapshotMetrics)

    def report(outcome: Verified, engine: Engine) -> None:
        counted.verifications["intact" if outcome == "intact" else "damaged",].inc()
        counted.damaged.set(int(outcome == "damaged"))
        if outcome == "fallback":
            report_snapshot(metrics, outcome, engine)

    return SnapshotVerification(
        snapshots, live, watch, make_ready, TritonModels(readiness), settings.snapshots, report
    )


def report_snapshot(
    metrics: ProcessMetrics, outcome: Literal["loaded", "refused", "fallback"], engine: Engine
) -> None:
    """Counts what became of a snapshot, and records which one serves; `engine`: what serves."""
    snapshots = metrics.group(SnapshotMetrics)
    snapshots.loads[outcome,].inc()
    created = datetime.fromisoformat(engine.snapshot.manifest.created_at).timestamp()
    snapshots.serve(engine.snapshot_id, created, time.time())
