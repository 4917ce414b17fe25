"""The recommendation service: one method per RPC, the same behind every ingress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.runner import arrange, rank
from pipeline.side_effects import SideEffects
from pipeline.stages import DeadlineExceeded
from protos.shopfront.v1 import event_pb2, recommend_pb2
from recall.query import Query
from router.engine.engine import Engine, Variant
from router.engine.live import LiveEngine
from router.events import report_events
from router.events.event_metrics import EventMetrics
from router.page.arrangement import ScenePage, structure_of
from router.page.drawn_slots import draw_slots
from router.page.exploration import draw_seed
from router.page.pins import place_pins
from router.service.admission import Admission
from router.service.answer import add_trace
from router.service.call import Call
from router.service.compute_limiter import ComputeLimiter
from router.service.impressions import ShownPage
from router.service.lost_parts import lost_parts
from router.service.paging import already_shown, read_cursors
from router.service.prepare import Sources, prepare
from router.service.quality import QualityFactors
from router.service.respond import Responder
from router.service.serving_state import ServingState
from router.service.shopper_scenes import ShopperScenes
from router.service.validation import CheckedRequest, check_page, check_recommend, check_similar_items
from state.attribution import AttributionCodec
from state.page_cursor import PageCursor, PageCursorCodec


class RecommendationService:
    """Answers from the live engine; every method may run many times at once on one event loop.

    Calls are admitted before they reach it (`server.rpc.accounting`).

    Methods raise `CallerError` and `OverloadError` as their owners demand; anything else that escapes is a
    bug.
    """

    def __init__(
        self,
        live: LiveEngine,
        sources: Sources,
        attribution: AttributionCodec,
        admission: Admission,
        limiter: ComputeLimiter,
        side_effects: SideEffects[Query, ShownPage],
        metrics: ProcessMetrics,
        quality: QualityFactors,
        wall_clock: Callable[[], float] = time.time,
        snapshot_damage: Callable[[], str] = lambda: "",
    ) -> None:
        """Opens nothing.

        `sources`: what requests are answered from beside the snapshot; `wall_clock`: unix seconds, for what
        is recorded; `snapshot_damage`: what is wrong with the snapshot in service, "" where it is intact.
        """
        self._live = live
        self._sources = sources
        self._store = sources.store
        self._rollouts = sources.rollouts
        self._clock = sources.clock
        self._attribution = attribution
        self._cursors = PageCursorCodec(attribution.seal)
        self._responder = Responder(attribution, self._cursors, sources.rollouts, side_effects, sources.clock)
        self._admission = admission
        self._limiter = limiter
        self._side_effects = side_effects
        self._event_metrics = metrics.group(EventMetrics)
        self._quality = quality
        self._wall_clock = wall_clock
        self._snapshot_damage = snapshot_damage

    async def recommend(
        self,
        request: recommend_pb2.RecommendRequest,
        call: Call,
        look: NDArray[np.float32] | None = None,
        picture: str = "",
    ) -> recommend_pb2.RecommendResponse:
        """Items for one scene.

        `look`: of a picture that they are to look like, as `Query.look`; `picture`: names it, so that its
        pages follow one another alone.
        """
        engine = self._live.current
        checked = check_recommend(request, ShopperScenes(engine, request.user_id))
        asked = replace(checked, look=look, picture=picture)
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
        had_s = deadline - self._clock()
        self._admission.require_time(had_s)
        slot = await self._limiter.acquire()
        try:
            begun = self._clock()
            self._admission.require_own_time(deadline - begun, had_s)
            # A scene's own budget is for the work; what a call may wait for its slot depends on its caller.
            deadlines = [min(deadline, begun + budget_s) for budget_s in budgets_s]
            return await self._answer_in_slot(engine, asked, call, now, variants, deadlines, cursors)
        except DeadlineExceeded as passed:
            if asked.timeout_s is None and (call.deadline is None or self._clock() < call.deadline):
                raise self._admission.out_of_patience() from passed
            raise
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
        prepared = await prepare(
            self._sources,
            engine,
            asked,
            variants,
            min(deadlines),
            call.arrival,
            now,
            variants[0].pipeline.metrics,
            already_shown(cursors, engine.catalogue),
        )
        queries = prepared.queries
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
            drawn = self._sources.exposure_plans.keep(
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
            self._responder.respond(
                engine, variant, query, page, prepared.degraded(place), scene, cursor, call, now
            )
            for place, (variant, query, page, scene, cursor) in enumerate(
                zip(variants, queries, drawn, asked.scenes, cursors, strict=True)
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
                degraded=lost_parts(response.degraded),
            )
        if asked.with_trace:
            for response, each in zip(responses, drawn, strict=True):
                add_trace(response, (*prepared.shopper.trace, *each.page.trace), total_ms)
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


def _budget_s(variant: Variant, asked: CheckedRequest) -> float:
    """Seconds the scene may be worked on."""
    return variant.settings.deadline.budget_ms / 1_000 if asked.timeout_s is None else asked.timeout_s
