"""The recommendation service: one method per RPC, the same behind every ingress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from environment.board import NO_FEED, NO_SURROUNDINGS, Board
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.plan import Page
from pipeline.runner import arrange, rank
from pipeline.side_effects import SideEffects
from pipeline.stages import DeadlineExceeded
from protos.shopfront.v1 import event_pb2, recommend_pb2
from recall.query import Query
from recall.search.context_index import wish_of
from router.engine.engine import Engine, Variant
from router.engine.live import LiveEngine
from router.events import report_events
from router.events.event_metrics import EventMetrics
from router.page.arrangement import ScenePage, structure_of
from router.page.drawn_slots import DrawnPage, draw_slots
from router.page.exploration import draw_seed
from router.page.exposure_plans import ExposurePlans
from router.page.pins import place_pins
from router.query_features.read import FeatureReading
from router.query_features.surroundings import NAME as SURROUNDINGS
from router.service.admission import Admission
from router.service.anchor import find_anchors
from router.service.answer import add_trace, build_response
from router.service.call import Call
from router.service.compute_limiter import ComputeLimiter
from router.service.impressions import ShownPage
from router.service.paging import next_cursor, read_cursors
from router.service.quality import QualityFactors
from router.service.queries import build_query
from router.service.rollout_hooks import RolloutHooks
from router.service.serving_state import ServingState
from router.service.shopper import read_shopper
from router.service.shopper_scenes import ShopperScenes
from router.service.validation import (
    CheckedRequest,
    check_page,
    check_recommend,
    check_similar_items,
)
from router.service.venues import venues_of
from snapshot.item_keys import item_keys
from state.attribution import Attribution, AttributionCodec
from state.attribution_scope import item_filter, shopper_tag
from state.merchandising.live_rules import LiveRules
from state.page_cursor import PageCursor, PageCursorCodec
from state.published import NOTHING, Published
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
        side_effects: SideEffects[Query, ShownPage],
        metrics: ProcessMetrics,
        rollouts: RolloutHooks,
        quality: QualityFactors,
        exposure_plans: ExposurePlans,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        snapshot_damage: Callable[[], str] = lambda: "",
        rules: LiveRules | None = None,
        published: Callable[[], Published] = lambda: NOTHING,
        environment: Board = NO_FEED,
    ) -> None:
        """Opens nothing.

        `clock`: monotonic seconds, for deadlines; `wall_clock`: unix seconds, for what is recorded;
        `snapshot_damage`: what is wrong with the snapshot in service, "" where it is intact; `rules`: of
        merchandisers, None = there are none; `published`: returns what the learner
        has published; `environment`: weather and alerts by city.
        """
        self._live = live
        self._store = store
        self._attribution = attribution
        self._cursors = PageCursorCodec(attribution.seal)
        self._admission = admission
        self._limiter = limiter
        self._side_effects = side_effects
        self._event_metrics = metrics.group(EventMetrics)
        self._rollouts = rollouts
        self._quality = quality
        self._exposure_plans = exposure_plans
        self._clock = clock
        self._wall_clock = wall_clock
        self._snapshot_damage = snapshot_damage
        self._rules = rules or LiveRules(None)
        self._published = published
        self._environment = environment

    async def recommend(
        self,
        request: recommend_pb2.RecommendRequest,
        call: Call,
        look: NDArray[np.float32] | None = None,
    ) -> recommend_pb2.RecommendResponse:
        """Items for one scene; `look`: features of a picture that they are to look like, as `Query.look`."""
        engine = self._live.current
        asked = replace(check_recommend(request, ShopperScenes(engine, request.user_id)), look=look)
        if request.validate_only:
            read_cursors(self._cursors, asked, int(self._wall_clock()))
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
        reported = await report_events(
            request, self._store, catalogue, self._wall_clock, self._attribution, call.sent_as
        )
        self._event_metrics.observe(reported.response, reported.uncredited)
        self._rollouts.count_feedback(reported.attributed)
        return reported.response

    @property
    def scenes(self) -> Collection[str]:
        """Names of the configured scenes."""
        return self._live.current.scenes

    def health(self) -> ServingState:
        """Whether this router answers: not from a damaged snapshot, of which no good one is left.

        Without user state it does, but as to shoppers never seen.
        """
        damage = self._snapshot_damage()
        if damage:
            return ServingState(serving=False, reason=f"the snapshot is damaged: {damage}")
        if not self._store.status().available:
            return ServingState(serving=True, reason="user state does not answer: pages are not personal")
        return ServingState(serving=True)

    async def drain(self, timeout_ms: float) -> None:
        """Waits for side effects under way, at most `timeout_ms` milliseconds."""
        await self._side_effects.drain(timeout_ms)

    async def _answer(
        self, engine: Engine, asked: CheckedRequest, call: Call
    ) -> list[recommend_pb2.RecommendResponse]:
        now = int(self._wall_clock())
        cursors = read_cursors(self._cursors, asked, now)
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
            return await self._answer_in_slot(engine, asked, call, now, variants, deadlines, cursors)
        finally:
            slot.release()

    async def _answer_in_slot(
        self,
        engine: Engine,
        asked: CheckedRequest,
        call: Call,
        now: int,
        variants: list[Variant],
        deadlines: list[float],
        cursors: list[PageCursor],
    ) -> list[recommend_pb2.RecommendResponse]:
        reading = FeatureReading(
            _features(engine, variants),
            now,
            min(deadlines),
            self._clock,
            call.arrival,
            asked.scenes[0].scene,
            variants[0].pipeline.metrics,
            self._published(),
            self._environment,
        )
        shopper = await read_shopper(self._store, engine.catalogue, asked.user_id, asked.city, reading)
        anchors = [
            find_anchors(engine.catalogue, asked, shopper, variant.settings, now) for variant in variants
        ]
        wish, unknown = wish_of(engine.context_index, asked.looking_for, engine.catalogue)
        queries = [
            self._rollouts.under_rollout(
                build_query(
                    engine,
                    shopper,
                    asked,
                    scene.scene,
                    about,
                    now,
                    variant.arms,
                    wish,
                    cursor.items(engine.catalogue),
                    self._rules.of(engine.catalogue, scene.scene, now),
                ),
                engine,
            )
            for scene, variant, about, cursor in zip(asked.scenes, variants, anchors, cursors, strict=True)
        ]
        try:
            ranking = [
                self._rank_scene(engine, variant, query, scene.page_size, slots, deadline, call)
                for variant, query, scene, slots, deadline in zip(
                    variants,
                    queries,
                    asked.scenes,
                    engine.page.slots([scene.page_size for scene in asked.scenes]),
                    deadlines,
                    strict=True,
                )
            ]
            # One scene needs no task of its own.
            scenes = await asyncio.gather(*ranking) if len(ranking) > 1 else [await ranking[0]]
            pages = await engine.page.arrange(scenes)
            seeds = [draw_seed(call.request_id, scene.scene) for scene in asked.scenes]
            exploration = [variant.settings.exploration for variant in variants]
            drawn = self._exposure_plans.keep(
                scenes,
                place_pins(scenes, draw_slots(scenes, pages, exploration, seeds)),
                [variant.settings.exposure_plans for variant in variants],
            )
        except DeadlineExceeded:
            # No model was called.
            raise
        except Exception:
            for query in queries:
                self._rollouts.failed(query, call.request_id, (self._clock() - call.arrival) * 1_000)
            raise
        responses = [
            self._respond(
                engine, variant, query, each, (*shopper.degraded, *about.degraded, *unknown), call, now
            )
            for variant, query, each, about in zip(variants, queries, drawn, anchors, strict=True)
        ]
        for response, scene, variant, cursor in zip(responses, asked.scenes, variants, cursors, strict=True):
            shown = item_keys([item.item_id for item in response.items])
            most = variant.settings.page.cursor_items
            response.next_page_cursor = next_cursor(self._cursors, cursor, scene, shown, most, now)
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
            for response, each in zip(responses, drawn, strict=True):
                add_trace(response, (*shopper.trace, *each.page.trace), total_ms)
        return responses

    async def _rank_scene(
        self,
        engine: Engine,
        variant: Variant,
        query: Query,
        page_size: int,
        slots: int,
        deadline: float,
        call: Call,
    ) -> ScenePage:
        factor = self._quality.of(query.scene, engine.scenes[query.scene])
        ranked = await rank(
            variant.pipeline, query, slots, deadline, self._clock, arrived=call.arrival, width=factor.width
        )
        if slots > page_size and structure_of(variant.pipeline.rerankers) is not None:
            # What other scenes take away is made good from the same groups, so all candidates are needed.
            slots = max(slots, len(ranked.candidates))
        page = arrange(ranked, slots)
        factor.observe((self._clock() - call.arrival) * 1_000)
        return ScenePage(ranked, page, page_size)

    def _token(
        self,
        engine: Engine,
        query: Query,
        page: Page,
        shown_keys: NDArray[np.uint64],
        call: Call,
        now: int,
    ) -> str:
        return self._attribution.encode(
            Attribution(
                request_id=call.request_id,
                scene=query.scene,
                snapshot_id=engine.snapshot_id,
                model_name=page.model.name,
                model_version=page.model.version,
                arms=dict(query.arms),
                issued_at=now,
                shopper=shopper_tag(query.user_id),
                items=item_filter(shown_keys),
                weather=query.features.get(SURROUNDINGS, NO_SURROUNDINGS).key,
            )
        )

    def _respond(
        self,
        engine: Engine,
        variant: Variant,
        query: Query,
        drawn: DrawnPage,
        degraded: Sequence[str],
        call: Call,
        now: int,
    ) -> recommend_pb2.RecommendResponse:
        page, channel_names = drawn.page, variant.pipeline.channel_names
        response = build_response(
            page,
            engine.catalogue,
            channel_names,
            scene=query.scene,
            snapshot_id=engine.snapshot_id,
            request_id=call.request_id,
            arms=query.arms,
            degraded=(*degraded, *self._rollouts.degraded(query)),
        )
        if query.wish.eligible is not None:
            response.matching_items = query.wish.matching
        structure = structure_of(variant.pipeline.rerankers)
        if structure is not None:
            response.venues.extend(venues_of(structure, page, engine.catalogue))
        shown_ids = [item.item_id for item in response.items]
        shown_keys = item_keys(shown_ids)
        token = self._token(engine, query, page, shown_keys, call, now)
        response.attribution_token = token
        shown = ShownPage(
            query.scene,
            shown_ids,
            shown_keys,
            now,
            call.request_id,
            token,
            variant.arms,
            items=page.items,
            channel_names=channel_names,
            model=page.model,
            snapshot_id=engine.snapshot_id,
            propensities=drawn.propensities,
            log_features=variant.settings.feature_log.enabled,
            took_ms=(self._clock() - call.arrival) * 1_000,
            degraded=tuple(response.degraded),
        )
        self._side_effects.schedule(query.scene, query, shown)
        return response


def _features(engine: Engine, variants: Sequence[Variant]) -> frozenset[str]:
    """Query features that the answer's components read; page rerankers see answers of several scenes only."""
    if len(variants) == 1:
        return variants[0].features
    return engine.page.features.union(*(variant.features for variant in variants))


def _budget_s(variant: Variant, asked: CheckedRequest) -> float:
    """Seconds the scene may be worked on."""
    return variant.settings.deadline.budget_ms / 1_000 if asked.timeout_s is None else asked.timeout_s
