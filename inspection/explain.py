"""A shopper's page made once more, with the way of each item through the stages."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from features.profile import PROFILE_FIELDS
from inspection.bounds import MAX_ITEMS
from inspection.item_journeys import Journey, journey
from inspection.item_summaries import summaries
from inspection.observed_request import Observation, finish, observe
from pipeline.metrics import NoMetrics
from protos.shopfront.v1 import admin_pb2, recommend_pb2
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.errors import CallerError
from router.service.answer import add_trace, build_response
from router.service.call import Call
from router.service.prepare import Sources, prepare
from router.service.shopper_scenes import ShopperScenes
from router.service.validation import CheckedRequest, check_recommend, check_similar_items
from snapshot.catalogue import Catalogue
from snapshot.id_limit import MAX_ID_BYTES
from state.plan_counts.budget_ledger import Uncounted

_MAX_PROFILE_VALUE = 128


class Explainer:
    """Explains pages of the live engine. They are answered as a shopper's would be, and not recorded."""

    def __init__(
        self,
        live: LiveEngine,
        sources: Sources,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing.

        `sources`: what requests are answered from beside the snapshot; `wall_clock`: unix seconds.
        """
        self._live = live
        # A page that nobody sees takes nothing.
        self._sources = replace(sources, budgets=Uncounted(sources.budgets))
        self._clock = sources.clock
        self._wall_clock = wall_clock

    async def explain(
        self, request: admin_pb2.ExplainPageRequest, call: Call, under: Engine | None = None
    ) -> admin_pb2.ExplainPageResponse:
        """The page with the way of each of its items, and of those asked for.

        `under`: an engine that is not in service; None = the one that is. Raises `CallerError` with every
        violation, and as the pipeline does.
        """
        engine = under or self._live.current
        asked = _checked(request, engine)
        now = int(self._wall_clock())
        scene = asked.scenes[0]
        variant = engine.variant(scene.scene, asked.user_id)
        # What the scene has for its work; what came before the work is not a shopper's wait.
        deadline = self._clock() + variant.settings.deadline.budget_ms / 1_000
        prepared = await prepare(
            self._sources,
            engine,
            asked,
            [variant],
            deadline,
            call.arrival,
            now,
            NoMetrics(),
            np.empty(0, np.int32),
            dict(request.profile),
        )
        (query,) = prepared.queries
        arranged, seen = await observe(
            variant.pipeline, query, scene.page_size, deadline, self._clock, call.arrival
        )
        page = finish(arranged, seen, variant.settings, self._sources.exposure_plans, call.request_id)
        response = build_response(
            page,
            engine.catalogue,
            variant.pipeline.channel_names,
            scene=scene.scene,
            snapshot_id=engine.snapshot_id,
            request_id=call.request_id,
            arms=query.arms,
            degraded=(*prepared.degraded(0), *self._sources.rollouts.degraded(query)),
        )
        add_trace(response, (*prepared.shopper.trace, *page.trace), (self._clock() - call.arrival) * 1_000)
        names = [slot.channel.name for slot in variant.pipeline.channels]
        on_page = page.items.items
        others = engine.catalogue.dense(list(request.item_ids))
        wanted = [*on_page.tolist(), *(item for item in others.tolist() if item not in on_page)]
        unknown = [name for name, item in zip(request.item_ids, others.tolist(), strict=True) if not item]
        journeys = [journey(item, seen, names, scene.page_size) for item in wanted if item]
        answer = admin_pb2.ExplainPageResponse(page=response, stages=[step.stage for step in seen.steps])
        answer.items.extend(_messages(journeys, engine.catalogue))
        answer.items.extend(_unknown(name, seen) for name in unknown)
        return answer


def _checked(request: admin_pb2.ExplainPageRequest, engine: Engine) -> CheckedRequest:
    if len(request.item_ids) > MAX_ITEMS:
        raise CallerError.of(
            "item_ids", f"must hold at most {MAX_ITEMS} items, holds {len(request.item_ids)}"
        )
    for index, item_id in enumerate(request.item_ids):
        if not 1 <= len(item_id.encode()) <= MAX_ID_BYTES:
            raise CallerError.of(f"item_ids[{index}]", f"must be 1 to {MAX_ID_BYTES} bytes of UTF-8")
    _check_profile(request)
    scenes = ShopperScenes(engine, request.user_id)
    if request.anchor_item_id:
        if not request.scene:
            raise CallerError.of("scene", "is required")
        similar = recommend_pb2.SimilarItemsRequest(
            item_id=request.anchor_item_id,
            scene=request.scene,
            user_id=request.user_id,
            context=request.context,
            page_size=request.page_size,
        )
        return check_similar_items(similar, scenes)
    plain = recommend_pb2.RecommendRequest(
        scene=request.scene,
        user_id=request.user_id,
        context=request.context,
        page_size=request.page_size,
        cart_item_ids=request.cart_item_ids,
    )
    return check_recommend(plain, scenes)


def _check_profile(request: admin_pb2.ExplainPageRequest) -> None:
    if request.profile and request.user_id:
        raise CallerError.of("profile", "is of somebody without an id; user_id has its own profile")
    for field, value in request.profile.items():
        if field not in PROFILE_FIELDS:
            raise CallerError.of("profile", f"{field!r} must be one of {', '.join(PROFILE_FIELDS)}")
        if len(value) > _MAX_PROFILE_VALUE:
            raise CallerError.of("profile", f"{field} must have at most {_MAX_PROFILE_VALUE} characters")


def _messages(journeys: list[Journey], catalogue: Catalogue) -> list[admin_pb2.ItemExplanation]:
    """Every item that is named is looked up once, together."""
    named = {0}
    for each in journeys:
        named |= {each.item, each.loss.to if each.loss else 0, *(find.trigger for find in each.channels)}
    ordered = sorted(named)
    known = dict(zip(ordered, summaries(catalogue, np.array(ordered, np.int32)), strict=True))
    return [
        admin_pb2.ItemExplanation(
            item=known[each.item],
            position=each.position,
            channels=[
                admin_pb2.ChannelRank(
                    channel=find.rank.stage,
                    rank=find.rank.rank,
                    of=find.rank.of,
                    score=find.score,
                    trigger=known[find.trigger],
                )
                for find in each.channels
            ],
            ranks=[admin_pb2.StageRank(stage=at.stage, rank=at.rank, of=at.of) for at in each.ranks],
            scores=each.scores,
            lost_at=each.loss.stage if each.loss else "",
            lost_because=each.loss.because if each.loss else "",
            lost_to=known[each.loss.to] if each.loss and each.loss.to else None,
        )
        for each in journeys
    ]


def _unknown(item_id: str, seen: Observation) -> admin_pb2.ItemExplanation:
    loss = journey(0, seen, (), 0).loss
    assert loss is not None
    return admin_pb2.ItemExplanation(
        item=admin_pb2.ItemSummary(item_id=item_id), lost_at=loss.stage, lost_because=loss.because
    )
