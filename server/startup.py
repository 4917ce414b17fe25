"""Builds a running service from settings: the same behind every ingress and in programs without one."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tritonclient.grpc.aio import InferenceServerClient

from foundation.telemetry.logs.user_ids import UserIds
from foundation.telemetry.metrics.process_metrics import ProcessMetrics, open_metrics
from foundation.telemetry.metrics.stage_metrics import PrometheusStageMetrics
from foundation.telemetry.tracing.environment import tracing_from_environment
from foundation.telemetry.tracing.traced_stages import TracedStages
from inspection.recent_pages import RecentPages
from learning.satisfaction.service import Feedback
from pipeline.metrics import StageMetrics
from pipeline.side_effects import SideEffects
from recall.query import Query
from rollout.rollouts import Rollouts
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.engine.models import TritonModels
from router.engine.share_metrics import ShareMetrics
from router.engine.warm_up import warm_up
from router.feature_log.feature_log import FeatureLog
from router.feature_log.open_log import open_feature_log
from router.page.exposure_plans import ExposurePlans
from router.registrations import check_registrations
from router.scenes.watch import watch_scenes
from router.service.exposure import ExposureLog
from router.service.exposure_metrics import ExposureMetrics
from router.service.fresh_exposures import FreshExposures
from router.service.impressions import ServedImpressions, ShownPage
from router.service.overload_metrics import OverloadMetrics
from router.service.prepare import Sources
from router.service.quality import QualityFactors
from router.service.request_log import RequestLog
from router.service.service import RecommendationService
from server.composition.engine import (
    engine_builder,
    open_engine,
    report_snapshot,
    snapshot_verification,
    snapshot_watch,
)
from server.composition.environment import open_environment
from server.composition.gauges import SIDE_EFFECTS_OUTSTANDING, report_load, report_state, set_queue_limits
from server.composition.inspection import (
    open_inspection,
    why_inspection_refused,
    why_privacy_refused,
    why_uploads_refused,
)
from server.composition.overload_control import build_overload_control
from server.composition.ranking import build_ranking, open_rollouts
from server.composition.scenes import configuration_watches, scene_configuration
from server.metric_groups import open_groups
from server.privacy.places import Places
from server.privacy.process import PrivacyWorkers, follow_erasures
from server.recording.begin import begin_recording
from server.running_service import RunningService
from server.settings import RouterSettings
from snapshot.store import SnapshotStore
from state.attribution import AttributionCodec
from state.merchandising.live_rules import LiveRules
from state.plan_counts.budget_ledger import BudgetLedger
from state.plan_counts.plan_ledger import PlanLedger
from state.published import LiveFolder
from state.registry import open_state
from state.store import StateStore
from vision.detect_objects import ObjectDetector
from vision.follow_pictures import PictureFollower
from vision.match_outfit import OutfitMatcher
from vision.photo_encoder import PhotoEncoder
from vision.photo_search import PhotoSearch
from vision.put_pictures import PictureUploads

if TYPE_CHECKING:
    from foundation.telemetry.tracing.open_tracing import Tracing

logger = logging.getLogger(__name__)


async def _watch_rules(rules: LiveRules, live: LiveEngine, interval_s: float) -> None:
    """Looks at the file of business rules every `interval_s` seconds until cancelled."""
    while True:
        await asyncio.sleep(interval_s)
        await rules.look(live.current.catalogue)


async def _follow_learner(
    published: LiveFolder, live: LiveEngine, shares: ShareMetrics, interval_s: float
) -> None:
    """Takes up what a learner publishes, every `interval_s` seconds until cancelled."""
    while True:
        await asyncio.sleep(interval_s)
        if await asyncio.to_thread(published.look):
            shares.observe(live.current, published.current.channel_rates)


async def start_service(settings: RouterSettings) -> RunningService:
    """Opens snapshot, scenes, state and Triton's channel, and starts watching for new snapshots and scenes.

    Triton may be down: answers are degraded until it is there. Raises `RegistrationError`, `SnapshotError`,
    `SettingsError`, `StorageError` or `OSError` where nothing could be served at all.
    """
    check_registrations()
    tracing = tracing_from_environment(os.environ)
    metrics = open_groups(
        open_metrics(Path(settings.metrics.folder)) if settings.metrics.enabled else ProcessMetrics()
    )
    overload = build_overload_control(settings.admission)
    ranking = build_ranking(settings, overload.limiter, metrics)
    rollouts = await open_rollouts(settings, ranking, metrics)
    builder = engine_builder(settings, ranking, rollouts, _stage_metrics(metrics, tracing))
    configuration = scene_configuration(settings)
    scenes = configuration.load(settings.scenes)
    snapshots = SnapshotStore(settings.snapshots.folder)
    live, unusable = await open_engine(builder, snapshots, scenes)
    store = await asyncio.to_thread(
        open_state, settings.state, released_while=overload.limiter.released_while
    )
    user_ids = UserIds(settings.request_log.salt or secrets.token_hex(16), settings.request_log.user_ids)
    feature_log = open_feature_log(settings.feature_log, metrics, user_ids)
    readiness = InferenceServerClient(settings.ranking.url)
    watches = configuration_watches(settings, configuration, scenes, live, metrics)
    followed = PictureFollower(store.pictures, settings.photo_search.follow_s)

    async def make_ready(engine: Engine) -> None:
        await followed.prepare(engine)
        await ranking.triton.prepare(engine.model_versions)
        await warm_up(engine)

    watch = snapshot_watch(settings, snapshots, live, readiness, metrics, watches, make_ready)
    verification = snapshot_verification(settings, snapshots, live, watch, readiness, metrics, make_ready)
    quality = QualityFactors()
    recent = RecentPages(settings.inspection.recent_pages)
    side_effects = _side_effects(store, rollouts, feature_log, recent, metrics, builder.metrics)
    rules = LiveRules(settings.business_rules)
    await rules.look(live.current.catalogue)
    replica = secrets.token_hex(8)
    ledger = PlanLedger(store.exchange_plan_counts, lambda: rules.plans(int(time.time())), replica)
    budgets = BudgetLedger(store.exchange_plan_counts, replica)
    published = LiveFolder(settings.learning.folder)
    await asyncio.to_thread(published.look)
    attribution = AttributionCodec.from_settings(settings.attribution)
    environment, environment_watch = await open_environment(settings.environment, metrics)
    sources = Sources(
        store,
        rollouts,
        rules,
        ExposurePlans(ledger, metrics),
        budgets,
        lambda: published.current,
        environment,
        time.monotonic,
    )
    service = RecommendationService(
        live,
        sources,
        attribution,
        overload.admission,
        overload.limiter,
        side_effects,
        metrics,
        quality,
        snapshot_damage=lambda: verification.damage,
    )
    photo_encoder = PhotoEncoder(settings.photo_search, ranking.triton, metrics)
    running = RunningService(
        service,
        RequestLog(user_ids, settings.request_log.log_answers),
        metrics,
        live,
        verification,
        rollouts,
        overload.admission,
        tracing,
        begin_recording(settings.recording, metrics),
        feature_log,
        Feedback(
            settings.satisfaction,
            store,
            attribution,
            lambda: live.current.catalogue,
            metrics,
            rollouts.count_rating,
        ),
        PhotoSearch(settings.photo_search, live, service, photo_encoder),
        ObjectDetector(settings.photo_search, live, photo_encoder),
        OutfitMatcher(live, service),
        PictureUploads(settings.photo_search, ranking.triton, live, store.pictures, followed, metrics),
        why_uploads_refused(settings),
        open_inspection(
            settings,
            live,
            sources,
            recent,
            configuration,
            watches,
            user_ids,
        ),
        why_inspection_refused(settings),
        PrivacyWorkers(Places.of(settings)),
        why_privacy_refused(settings),
        store,
        ledger,
        budgets,
        ranking.triton,
        readiness,
    )
    await make_ready(live.current)
    if unusable is None:
        report_snapshot(metrics, "loaded", live.current)
    else:
        verification.start_beside(unusable.id, unusable.fault)
    set_queue_limits(settings, metrics)
    running.keep_running(watch.run())
    running.keep_running(verification.run())
    running.keep_running(_watch_rules(rules, live, settings.snapshots.poll_interval_s))
    running.keep_running(ledger.run(settings.exposure_exchange_s))
    running.keep_running(budgets.run(settings.exposure_exchange_s / 10, lambda: int(time.time())))
    running.keep_running(follow_erasures(store, recent, running.privacy))
    running.keep_running(followed.run(live))
    running.keep_running(
        _follow_learner(published, live, metrics.group(ShareMetrics), settings.learning.follow_s)
    )
    for work in running.inspection.background():
        running.keep_running(work)
    if environment_watch is not None:
        running.keep_running(environment_watch.run(settings.environment.poll_s))
    for edited in watches:
        running.keep_running(watch_scenes(edited, settings.snapshots.poll_interval_s))
    running.keep_running(report_state(store, side_effects, metrics))
    running.keep_running(
        report_load(OverloadMetrics(metrics, overload.admission, overload.limiter, overload.load, quality))
    )
    for work in rollouts.begin(live, TritonModels(readiness)):
        running.keep_running(work)
    logger.info(
        "snapshot %s serves %d scenes on %s",
        live.current.snapshot_id,
        len(scenes),
        type(asyncio.get_running_loop()).__module__,
    )
    return running


def _stage_metrics(metrics: ProcessMetrics, tracing: Tracing | None) -> StageMetrics:
    counted = PrometheusStageMetrics(metrics)
    return counted if tracing is None else TracedStages(counted)


def _side_effects(
    store: StateStore,
    rollouts: Rollouts,
    feature_log: FeatureLog,
    recent: RecentPages,
    metrics: ProcessMetrics,
    stage_metrics: StageMetrics,
) -> SideEffects[Query, ShownPage]:
    return SideEffects(
        [
            ServedImpressions(store),
            ExposureLog(store, metrics.group(ExposureMetrics).observe),
            FreshExposures(),
            rollouts.shadow,
            feature_log,
            recent,
        ],
        asyncio.get_running_loop().time,
        outstanding=SIDE_EFFECTS_OUTSTANDING,
        metrics=stage_metrics,
    )
