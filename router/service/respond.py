"""From an arranged page to the response that is sent, and to what is remembered of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from environment.board import NO_SURROUNDINGS
from pipeline.plan import Page
from pipeline.side_effects import SideEffects
from protos.shopfront.v1 import recommend_pb2
from recall.query import Query
from router.engine.engine import Engine, Variant
from router.fusion.modulated import ModulatedFusion
from router.page.arrangement import structure_of
from router.page.drawn_slots import DrawnPage
from router.query_features.surroundings import NAME as SURROUNDINGS
from router.service.answer import build_response
from router.service.call import Call
from router.service.impressions import ShownPage
from router.service.paging import next_cursor
from router.service.rollout_hooks import RolloutHooks
from router.service.validation import SceneRequest
from router.service.venues import venues_of
from snapshot.item_keys import item_keys
from state.attribution import Attribution, AttributionCodec
from state.attribution_scope import item_filter, shopper_tag
from state.page_cursor import PageCursor, PageCursorCodec


class Responder:
    """Makes responses, each with its attribution token and cursor, and schedules what follows them."""

    def __init__(
        self,
        attribution: AttributionCodec,
        cursors: PageCursorCodec,
        rollouts: RolloutHooks,
        side_effects: SideEffects[Query, ShownPage],
        clock: Callable[[], float],
    ) -> None:
        """`clock`: monotonic seconds, that of a call's arrival."""
        self._attribution = attribution
        self._cursors = cursors
        self._rollouts = rollouts
        self._side_effects = side_effects
        self._clock = clock

    def respond(
        self,
        engine: Engine,
        variant: Variant,
        query: Query,
        drawn: DrawnPage,
        degraded: Sequence[str],
        scene: SceneRequest,
        cursor: PageCursor,
        call: Call,
        now: int,
    ) -> recommend_pb2.RecommendResponse:
        """The response of one scene, at unix second `now`.

        degraded: what was missing before the pipeline ran; cursor: the one that the scene was asked with.
        """
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
        most = variant.settings.page.cursor_items
        response.next_page_cursor = next_cursor(self._cursors, cursor, scene, shown_keys, most, now)
        moved = variant.pipeline.live_fusion
        moved = moved if isinstance(moved, ModulatedFusion) else None
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
            segment="" if moved is None else moved.segment(query),
            credit=None if moved is None else moved.credit,
        )
        self._side_effects.schedule(query.scene, query, shown)
        return response

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
