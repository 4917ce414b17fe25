"""Answers MatchOutfit: a page of the scene `match_outfit`, an item of every category that goes with one."""

from __future__ import annotations

import numpy as np

from protos.shopfront.v1 import recommend_pb2, visual_pb2
from recall.outfit_slots import NAME, Evidence, Outfit
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.errors import CallerError, PreconditionError
from router.service.call import Call
from router.service.service import RecommendationService

SCENE = "match_outfit"
_DEFAULT_SLOTS, _MOST_SLOTS = 6, 20
_EVIDENCE: dict[Evidence, visual_pb2.OutfitEvidence] = {
    "sets": visual_pb2.OUTFIT_EVIDENCE_SETS,
    "baskets": visual_pb2.OUTFIT_EVIDENCE_BASKETS,
    "network": visual_pb2.OUTFIT_EVIDENCE_NETWORK,
    "rules": visual_pb2.OUTFIT_EVIDENCE_RULES,
}


class OutfitMatcher:
    """Of one replica; methods may run many times at once on one event loop."""

    def __init__(self, live: LiveEngine, service: RecommendationService) -> None:
        """`live`: the engine in service; `service`: answers pages."""
        self._live = live
        self._service = service

    async def match(
        self, request: visual_pb2.MatchOutfitRequest, call: Call
    ) -> visual_pb2.MatchOutfitResponse:
        """One item of every category that goes with the request's item.

        Raises:
            CallerError: the request breaks a rule.
            PreconditionError: the snapshot in service has no outfits.
        """
        engine = self._live.current
        outfits = _outfits(engine)
        if request.slots < 0:
            raise CallerError.of("slots", "must not be negative; 0 takes the default")
        slots = min(request.slots or _DEFAULT_SLOTS, _MOST_SLOTS)
        page = await self._service.similar_items(
            recommend_pb2.SimilarItemsRequest(
                item_id=request.item_id,
                user_id=request.user_id,
                context=request.context,
                page_size=slots,
                excluded_item_ids=request.excluded_item_ids,
                with_trace=request.with_trace,
                timeout_ms=request.timeout_ms,
                scene=SCENE,
            ),
            call,
        )
        # Where fewer categories have an item that may be shown, the page was filled with second ones.
        first: dict[str, recommend_pb2.RecommendedItem] = {}
        for item in page.items:
            first.setdefault(item.category, item)
        kept = list(first.values())
        del page.items[:]
        page.items.extend(kept)
        page.next_page_cursor = ""
        response = visual_pb2.MatchOutfitResponse(page=page)
        trigger = int(engine.catalogue.dense([request.item_id])[0])
        items = engine.catalogue.dense([item.item_id for item in kept]) if kept else np.empty(0, np.int32)
        for item, evidence in zip(kept, outfits.evidence_of(trigger, items), strict=True):
            response.slots.add(category=item.category, item_id=item.item_id, evidence=_EVIDENCE[evidence])
        return response


def _outfits(engine: Engine) -> Outfit:
    channel = engine.channels.get(NAME)
    if not isinstance(channel, Outfit) or SCENE not in engine.scenes:
        raise PreconditionError(
            "OUTFITS",
            engine.snapshot_id,
            "the snapshot in service has no outfits; the build says why it left the channel `outfit` out: "
            "bring a file `outfits` (set_id, item_id), or pictures of the items and baskets with two "
            f"categories in them, keep the scene {SCENE} of config/scenes.yaml, and build again",
        )
    return channel
