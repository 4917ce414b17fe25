"""Builds a running service from settings: the same behind every ingress and in programs without one."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import time
from collections.abc import Coroutine, Sized
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import faiss
from tritonclient.grpc.aio import InferenceServerClient

from experiments.configuration import SceneConfiguration
from foundation.telemetry.logs.user_ids import UserIds
from foundation.telemetry.metrics.registry import RouterMetrics, open_metrics
from foundation.telemetry.metrics.stage_metrics import PrometheusStageMetrics
from foundation.telemetry.tracing.environment import tracing_from_environment
from foundation.telemetry.tracing.traced_stages import TracedStages
from pipeline.metrics import StageMetrics
from pipeline.scoring import Split
from pipeline.side_effects import SideEffects
from recall.channel import Services
from recall.query import Query
from recall.registry import CHANNELS
from rollout.registry import open_rollout_store
from rollout.rollouts import Rollouts
from router.engine.engine import Engine, EngineBuilder
from router.engine.live import LiveEngine
from router.engine.models import TritonModels
from router.engine.snapshot_watch import SnapshotWatch
from router.engine.warm_up import warm_up
from router.feature_log.feature_log import FeatureLog
from router.feature_log.open_log import open_feature_log
from router.ranking.circuit_breaker import CircuitBreaker
from router.ranking.interests import TritonInterests
from router.ranking.triton_client import TritonClient
from router.ranking.triton_scorer import TritonScorer
from router.recording.begin import begin_recording
from router.recording.request_recorder import RequestRecorder
from router.scenes.load import Known, Scenes, read_scenes
from router.scenes.watch import SceneWatch, watch_scenes
from router.service.admission import Admission
from router.service.compute_limiter import ComputeLimiter
from router.service.exposure import ExposureLog
from router.service.impressions import ServedImpressions, ShownPage
from router.service.loop_load import LoopLoad, thread_busy_clock
from router.service.overload_metrics import OverloadMetrics
from router.service.quality import QualityFactors
from router.service.request_log import RequestLog
from router.service.service import RecommendationService
from server.settings import RouterSettings
from snapshot.store import SnapshotStore
from state.attribution import AttributionCodec
from state.metrics import StateMetrics
from state.registry import open_state
from state.store import StateStore

if TYPE_CHECKING:
    from foundation.telemetry.tracing.open_tracing import Tracing

logger = logging.getLogger(__name__)

_SIDE_EFFECTS_OUTSTANDING = 1_000
_SIDE_EFFECTS_DRAIN_MS = 2_000.0
_STATE_INTERVAL_S = 1.0
_RECORDING_CLOSES_WITHIN_S = 2.0
_FEATURE_LOG_CLOSES_WITHIN_S = 2.0


class ServiceDied(Exception):
    """A part of the service that must run for ever has ended; the process should be replaced."""


@dataclass
class RunningService:
    """A service, what an ingress needs beside it, and the background work that keeps it current."""

    service: RecommendationService
    request_log: RequestLog
    metrics: RouterMetrics
    live: LiveEngine
    rollouts: Rollouts
    tracing: Tracing | None
    """Where traces of requests go; None where none are exported."""
    recorder: RequestRecorder | None
    """What keeps requests for replay; None where none are kept."""
    feature_log: FeatureLog
    """What keeps answers for learners."""
    _store: StateStore
    _triton: TritonClient
    _readiness: InferenceServerClient
    _background: list[asyncio.Task[None]] = field(default_factory=list)

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` until `stop`."""
        self._background.append(asyncio.create_task(work))

    def check_alive(self) -> None:
        """Raises `ServiceDied` where background work has ended."""
        for task in self._background:
            if task.done():
                raise ServiceDied(f"{task.get_coro()} has ended") from (
                    None if task.cancelled() else task.exception()
                )

    async def stop(self) -> None:
        """Ends background work, waits for side effects, closes what was opened; idempotent."""
        background, self._background = self._background, []
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.service.drain(_SIDE_EFFECTS_DRAIN_MS)
        await self.rollouts.close()
        await self._triton.close()
        await self._readiness.close()
        await asyncio.to_thread(self._store.close)
        if self.recorder is not None:
            await asyncio.to_thread(self.recorder.close, _RECORDING_CLOSES_WITHIN_S)
        await asyncio.to_thread(self.feature_log.close, _FEATURE_LOG_CLOSES_WITHIN_S)
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


async def start_service(settings: RouterSettings) -> RunningService:
    """Opens snapshot, scenes, state and Triton's channel, and starts watching for new snapshots and scenes.

    Triton may be down: answers are degraded until it is there. Raises `SnapshotError`, `SettingsError`,
    `StateError` or `OSError` where nothing could be served at all.
    """
    tracing = tracing_from_environment(os.environ)
    metrics = open_metrics(Path(settings.metrics.folder)) if settings.metrics.enabled else RouterMetrics()
    stage_metrics: StageMetrics = PrometheusStageMetrics(metrics)
    if tracing is not None:
        stage_metrics = TracedStages(stage_metrics)
    # Begins on this thread, whose load it measures.
    load = LoopLoad(time.monotonic, thread_busy_clock())
    admission = Admission(settings.admission, load, random.Random())
    limiter = ComputeLimiter(
        settings.admission.max_working,
        admission.loop_is_full,
        lambda: admission.arrived,
        time.monotonic,
        load.wanted_but_idle,
    )
    ranking = settings.ranking
    breaker = CircuitBreaker(ranking.breaker, report=metrics.observe_circuit)
    triton = TritonClient(ranking, breaker, limiter.released_while)
    scorers = {model: TritonScorer(triton, ranking, model) for model in scoring_models(settings)}
    rollouts = Rollouts(
        scorers[ranking.model],
        ranking,
        settings.rollout,
        await asyncio.to_thread(open_rollout_store, settings.rollout.url, settings.state.redis),
        metrics,
    )
    await rollouts.follow_record()
    builder = EngineBuilder(
        recall=settings.recall,
        services=Services(TritonInterests(triton, ranking).embed_history),
        scorers={**scorers, ranking.model: rollouts.scorer},
        metrics=stage_metrics,
        split=Split(ranking.part_size, ranking.max_parts),
    )
    configuration = scene_configuration(settings)
    scenes = configuration.load(settings.scenes)
    snapshots = SnapshotStore(settings.snapshots.folder)
    live = await asyncio.to_thread(lambda: LiveEngine(builder, snapshots.open_current(), scenes))
    # OpenMP keeps its number of threads per thread: what a channel set while it was opened in another thread
    # does not hold here, where it is asked, and spinning helpers would triple the cost of a search.
    faiss.omp_set_num_threads(settings.recall.mind.threads)
    store = await asyncio.to_thread(open_state, settings.state, released_while=limiter.released_while)
    quality = QualityFactors()
    user_ids = UserIds(settings.request_log.salt or secrets.token_hex(16), settings.request_log.user_ids)
    feature_log = open_feature_log(settings.feature_log, metrics, user_ids)
    side_effects: SideEffects[Query, ShownPage] = SideEffects(
        [
            ServedImpressions(store),
            ExposureLog(store, lambda experiment, arm: metrics.exposures[experiment, arm].inc()),
            rollouts.shadow,
            feature_log,
        ],
        asyncio.get_running_loop().time,
        outstanding=_SIDE_EFFECTS_OUTSTANDING,
        metrics=builder.metrics,
    )
    service = RecommendationService(
        live,
        store,
        AttributionCodec.from_settings(settings.attribution),
        admission,
        limiter,
        side_effects,
        metrics,
        rollouts,
        quality,
    )
    readiness = InferenceServerClient(settings.ranking.url)
    running = RunningService(
        service,
        RequestLog(user_ids, settings.request_log.log_answers),
        metrics,
        live,
        rollouts,
        tracing,
        begin_recording(settings.recording, metrics),
        feature_log,
        store,
        triton,
        readiness,
    )
    await warm_up(live.current)
    _report_snapshot(metrics, "loaded", live.current)
    running.keep_running(_snapshot_watch(settings, snapshots, live, readiness, metrics).run())
    for watch in _configuration_watches(settings, configuration, scenes, live, metrics):
        running.keep_running(watch_scenes(watch, settings.snapshots.poll_interval_s))
    _state_limits(settings, metrics)
    running.keep_running(_report_state(store, side_effects, metrics))
    running.keep_running(_report_load(OverloadMetrics(metrics, admission, limiter, load, quality)))
    for work in rollouts.begin(live, TritonModels(readiness)):
        running.keep_running(work)
    logger.info(
        "snapshot %s serves %d scenes on %s",
        live.current.snapshot_id,
        len(scenes),
        type(asyncio.get_running_loop()).__module__,
    )
    return running


def scene_configuration(settings: RouterSettings) -> SceneConfiguration:
    """The scenes and the experiments on them, not yet read."""
    known = Known(CHANNELS, scoring_models(settings))
    return SceneConfiguration(
        lambda content: read_scenes(
            content, str(settings.scenes), known_channels=known.channels, known_models=known.models
        ),
        settings.experiments,
        known,
    )


def scoring_models(settings: RouterSettings) -> list[str]:
    """Models that a scene's ranking and prerank may name."""
    return [settings.ranking.model, settings.ranking.prerank_model]


def _snapshot_watch(
    settings: RouterSettings,
    snapshots: SnapshotStore,
    live: LiveEngine,
    readiness: InferenceServerClient,
    metrics: RouterMetrics,
) -> SnapshotWatch:
    def report(outcome: Literal["loaded", "refused"], engine: Engine) -> None:
        _report_snapshot(metrics, outcome, engine)

    return SnapshotWatch(snapshots, live, warm_up, TritonModels(readiness), settings.snapshots, report)


def _configuration_watches(
    settings: RouterSettings,
    configuration: SceneConfiguration,
    scenes: Scenes,
    live: LiveEngine,
    metrics: RouterMetrics,
) -> list[SceneWatch]:
    """One watch on each file of the configuration; all belong to one event loop."""

    def change(scenes: Scenes) -> None:
        live.change_scenes(scenes)
        configuration.take_up()
        metrics.config_reloads["loaded",].inc()

    def refused(reason: str) -> None:
        metrics.config_reloads["refused",].inc()

    watches = [SceneWatch(settings.scenes, configuration.with_scenes, scenes, change, refused)]
    if settings.experiments is not None:
        watches.append(
            SceneWatch(
                settings.experiments, configuration.with_experiments, scenes, change, refused, absent=b""
            )
        )
    return watches


def _report_snapshot(metrics: RouterMetrics, outcome: Literal["loaded", "refused"], engine: Engine) -> None:
    metrics.snapshot_loads[outcome,].inc()
    created = datetime.fromisoformat(engine.snapshot.manifest.created_at).timestamp()
    metrics.serve_snapshot(engine.snapshot_id, created, time.time())


def _state_limits(settings: RouterSettings, metrics: RouterMetrics) -> None:
    metrics.state_build()
    metrics.set_queue_limit("state_events", settings.state.max_queued_events)
    metrics.set_queue_limit("state_impressions", settings.state.max_queued_impressions)
    metrics.set_queue_limit("side_effects", _SIDE_EFFECTS_OUTSTANDING)
    metrics.set_queue_limit("calls_in_progress", settings.admission.max_concurrent)
    metrics.set_queue_limit("calls_waiting", settings.admission.max_concurrent)


async def _report_state(store: StateStore, side_effects: Sized, metrics: RouterMetrics) -> None:
    told = StateMetrics(metrics)
    while True:
        told.observe(store.status())
        metrics.set_queue_depth("side_effects", len(side_effects))
        await asyncio.sleep(_STATE_INTERVAL_S)


async def _report_load(told: OverloadMetrics) -> None:
    while True:
        told.observe()
        await asyncio.sleep(_STATE_INTERVAL_S)
