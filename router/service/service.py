"""The recommendation service: one method per RPC, the same behind every ingress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.candidates import Candidates
from pipeline.runner import Page
from pipeline.side_effects import SideEffects
from pipeline.stages import DeadlineExceeded
from protos.shopfront.v1 import event_pb2, recommend_pb2
from recall.query import Query
from router.engine.engine import Engine, Variant
from router.engine.live import LiveEngine
from router.events import report_events
from router.events.event_metrics import EventMetrics
from router.query_features.read import FeatureReading
from router.scenes.features import scene_features
from router.service.admission import Admission
from router.service.anchor import find_anchor
from router.service.answer import add_trace, build_response
from router.service.call import Call
from router.service.compute_limiter import ComputeLimiter
from router.service.impressions import Served
from router.service.quality import QualityFactors
from router.service.queries import build_query
from router.service.rollout_hooks import RolloutHooks
from router.service.serving_state import ServingState
from router.service.shopper import read_shopper
from router.service.shopper_scenes import ShopperScenes
from router.service.validation import (
    Asked,
    SceneAsked,
    check_page,
    check_recommend,
    check_similar_items,
)
from state.attribution import Attribution, AttributionCodec
from state.store import StateStore


class RecommendationService:
    """Answers from the live engine; every method may run many times at once on one event loop.

    Calls are admitted before they reach it (`server.rpc.accounting`).

    Methods raise `CallerError` and `OverloadError` as their owners demand; anything else that escapes is a
    bug.
    """

    def __init__(
        self,
        live: LiveEngine,
        store: StateStore,
        attribution: AttributionCodec,
        admission: Admission,
        limiter: ComputeLimiter,
        side_effects: SideEffects[Query, Served],
        metrics: ProcessMetrics,
        rollouts: RolloutHooks,
        quality: QualityFactors,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: monotonic seconds, for deadlines; `wall_clock`: unix seconds, for what is recorded."""
        self._live = live
        self._store = store
        self._attribution = attribution
        self._admission = admission
        self._limiter = limiter
        self._side_effects = side_effects
        self._event_metrics = metrics.group(EventMetrics)
        self._rollouts = rollouts
        self._quality = quality
        self._clock = clock
        self._wall_clock = wall_clock

    async def recommend(
        self, request: recommend_pb2.RecommendRequest, call: Call
    ) -> recommend_pb2.RecommendResponse:
        """Items for one scene."""
        engine = self._live.current
        asked = check_recommend(request, ShopperScenes(engine, request.user_id))
        if request.validate_only:
            return recommend_pb2.RecommendResponse(
                scene=request.scene, snapshot_id=engine.snapshot_id, request_id=call.request_id
            )
        (response,) = await self._answer(engine, asked, call)
        return response

    async def recommend_page(
        self, request: recommend_pb2.RecommendPageRequest, call: Call
    ) -> recommend_pb2.RecommendPageResponse:
        """Items for several scenes; an item appears only in the first scene that has it."""
        engine = self._live.current
        asked = check_page(request, ShopperScenes(engine, request.user_id))
        return recommend_pb2.RecommendPageResponse(scenes=await self._answer(engine, asked, call))

    async def similar_items(
        self, request: recommend_pb2.SimilarItemsRequest, call: Call
    ) -> recommend_pb2.RecommendResponse:
        """Items that go with one item, ordered for the shopper."""
        engine = self._live.current
        asked = check_similar_items(request, ShopperScenes(engine, request.user_id))
        (response,) = await self._answer(engine, asked, call)
        return response

    async def report_events(
        self, request: event_pb2.ReportEventsRequest, call: Call
    ) -> event_pb2.ReportEventsResponse:
        """Stores events; returns when they are durable. Raises `StorageError` where the store failed."""
        catalogue = self._live.current.catalogue
        response, attributed = await report_events(
            request, self._store, catalogue, self._wall_clock, self._attribution, call.sent_as
        )
        self._event_metrics.observe(response)
        self._rollouts.count_feedback(attributed)
        return response

    @property
    def scenes(self) -> Collection[str]:
        """Names of the configured scenes."""
        return self._live.current.scenes

    def health(self) -> ServingState:
        """Whether this router answers: also without user state, but then as to shoppers never seen."""
        if not self._store.status().available:
            return ServingState(serving=True, reason="user state does not answer: pages are not personal")
        return ServingState(serving=True)

    async def drain(self, timeout_ms: float) -> None:
        """Waits for side effects under way, at most `timeout_ms` milliseconds."""
        await self._side_effects.drain(timeout_ms)

    async def _answer(
        self, engine: Engine, asked: Asked, call: Call
    ) -> list[recommend_pb2.RecommendResponse]:
        now = int(self._wall_clock())
        variants = [engine.variant(scene.scene, asked.user_id) for scene in asked.scenes]
        budgets_s = [_budget_s(variant, asked) for variant in variants]
        deadline = call.deadline_within(self._admission.patience_s(asked.timeout_s, max(budgets_s)))
        self._admission.require_time(deadline - self._clock())
        slot = await self._limiter.acquire()
        try:
            begun = self._clock()
            self._admission.require_own_time(deadline - begun)
            # A scene's own budget is for the work; what a call may wait for its slot depends on its caller.
            deadlines = [min(deadline, begun + budget_s) for budget_s in budgets_s]
            return await self._answer_in_slot(engine, asked, call, now, variants, deadlines)
        finally:
            slot.release()

    async def _answer_in_slot(
        self,
        engine: Engine,
        asked: Asked,
        call: Call,
        now: int,
        variants: list[Variant],
        deadlines: list[float],
    ) -> list[recommend_pb2.RecommendResponse]:
        reading = FeatureReading(
            scene_features(variant.settings for variant in variants),
            now,
            min(deadlines),
            self._clock,
            call.arrival,
            asked.scenes[0].scene,
            variants[0].pipeline.metrics,
        )
        shopper = await read_shopper(self._store, engine.catalogue, asked.user_id, asked.city, reading)
        anchor = find_anchor(engine.catalogue, asked.anchor_item_id)
        queries = [
            self._rollouts.under_rollout(
                build_query(engine, shopper, asked, scene.scene, anchor, now, variant.arms), engine
            )
            for scene, variant in zip(asked.scenes, variants, strict=True)
        ]
        try:
            pages = await asyncio.gather(
                *(
                    self._run(engine, variant, query, page_size, deadline, call)
                    for variant, query, page_size, deadline in zip(
                        variants, queries, _sizes_with_spares(asked.scenes), deadlines, strict=True
                    )
                )
            )
        except DeadlineExceeded:
            # Nothing was asked of any model.
            raise
        except Exception:
            for query in queries:
                self._rollouts.failed(query, call.request_id, (self._clock() - call.arrival) * 1_000)
            raise
        degraded = (*shopper.degraded, *anchor.degraded)
        responses = [
            self._respond(engine, variant, query, page, shown, degraded, call, now)
            for variant, query, page, shown in zip(
                variants, queries, pages, _without_repeats(pages, asked.scenes), strict=True
            )
        ]
        total_ms = (self._clock() - call.arrival) * 1_000
        for query, response, scene in zip(queries, responses, asked.scenes, strict=True):
            self._rollouts.answered(
                query,
                call.request_id,
                total_ms,
                shown=len(response.items),
                page_size=scene.page_size,
                degraded=response.degraded,
            )
        if asked.with_trace:
            for response, page in zip(responses, pages, strict=True):
                add_trace(response, (*shopper.trace, *page.trace), total_ms)
        return responses

    async def _run(
        self,
        engine: Engine,
        variant: Variant,
        query: Query,
        page_size: int,
        deadline: float,
        call: Call,
    ) -> Page:
        factor = self._quality.of(query.scene, engine.scenes[query.scene])
        page = await variant.pipeline.run(
            query, page_size, deadline, self._clock, arrived=call.arrival, width=factor.value
        )
        factor.observe((self._clock() - call.arrival) * 1_000)
        return page

    def _respond(
        self,
        engine: Engine,
        variant: Variant,
        query: Query,
        page: Page,
        shown: Candidates,
        degraded: Sequence[str],
        call: Call,
        now: int,
    ) -> recommend_pb2.RecommendResponse:
        token = self._attribution.encode(
            Attribution(
                request_id=call.request_id,
                scene=query.scene,
                snapshot_id=engine.snapshot_id,
                model_name=page.model.name,
                model_version=page.model.version,
                arms=dict(query.arms),
                issued_at=now,
            )
        )
        response = build_response(
            page,
            shown,
            engine.catalogue,
            variant.pipeline.channel_names,
            scene=query.scene,
            snapshot_id=engine.snapshot_id,
            request_id=call.request_id,
            attribution_token=token,
            arms=query.arms,
            degraded=(*degraded, *self._rollouts.degraded(query)),
        )
        served = Served(
            query.scene, [item.item_id for item in response.items], now, call.request_id, token, variant.arms
        )
        self._side_effects.schedule(query.scene, query, served)
        return response


def _budget_s(variant: Variant, asked: Asked) -> float:
    """Seconds the scene may be worked on."""
    return variant.settings.deadline.budget_ms / 1_000 if asked.timeout_s is None else asked.timeout_s


def _sizes_with_spares(scenes: Sequence[SceneAsked]) -> list[int]:
    """Page sizes that stay full once the items of the scenes before are taken out."""
    return np.cumsum([scene.page_size for scene in scenes]).tolist()


def _without_repeats(pages: Sequence[Page], scenes: Sequence[SceneAsked]) -> list[Candidates]:
    """Each page cut to its size, without the items that a page before it shows."""
    taken: NDArray[np.int32] = np.empty(0, np.int32)
    shown = []
    for page, scene in zip(pages, scenes, strict=True):
        items = page.items
        if taken.size:
            items = items.take(np.isin(items.items, taken, invert=True))
        items = items.take(slice(scene.page_size))
        taken = np.concatenate((taken, items.items))
        shown.append(items)
    return shown
