"""From a checked request and a shopper to the query that a scene's pipeline is given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.context import encode_context
from features.scene_rules import NO_SCENE_RULES, SceneRules
from recall.query import Query
from recall.search.wish import Wish
from recall.search.words import folded
from recall.triggers import select_triggers
from router.engine.engine import Engine
from router.service.anchor import Anchors
from router.service.shopper import Shopper
from router.service.validation import CheckedRequest

NO_TRIGGERS = np.empty(0, np.int32), np.empty(0, np.float32)


def build_query(
    engine: Engine,
    shopper: Shopper,
    asked: CheckedRequest,
    scene: str,
    anchors: Anchors,
    now: int,
    arms: Mapping[str, str],
    wish: Wish,
    shown: NDArray[np.int32],
    rules: SceneRules = NO_SCENE_RULES,
) -> Query:
    """The query of one scene at unix second `now`, for a shopper in these `arms` (experiment → arm).

    With anchors, or a look, these alone cause recall, and anchors are never shown; the shopper's history
    still orders the items.
    `wish`: what the shopper is looking for; `shown`: int32[s], what the pages before showed.
    """
    excluded = engine.catalogue.dense(asked.excluded_item_ids)
    left_out = shown if anchors.left_out is None else np.concatenate((shown, anchors.left_out))
    excluded = np.concatenate((excluded[excluded > 0], left_out))
    triggers, weights = NO_TRIGGERS
    if anchors.items is None and asked.look is None:
        triggers, weights = select_triggers(
            shopper.history_items,
            shopper.history_events,
            shopper.history_ts,
            now,
            settings=engine.triggers,
        )
    query = Query(
        scene=scene,
        user_id=shopper.user_id,
        now=now,
        history_items=shopper.history_items,
        history_events=shopper.history_events,
        history_ts=shopper.history_ts,
        triggers=triggers,
        trigger_weights=weights,
        profile=shopper.profile,
        profile_codes=shopper.profile_codes,
        context_codes=encode_context(now, asked.device),
        excluded=excluded,
        purchased_items=shopper.purchases.items,
        purchased_ts=shopper.purchases.ts,
        removed_items=shopper.taken_out.items,
        removed_ts=shopper.taken_out.ts,
        model_versions=engine.model_versions,
        arms=arms,
        features=shopper.features,
        look=asked.look,
        search_query=folded(asked.looking_for.search_query),
        wish=wish,
        rules=rules,
    )
    return query if anchors.items is None else query.about(anchors.items, anchors.weights)
