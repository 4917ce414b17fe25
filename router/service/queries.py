"""From a checked request and a shopper to the query a scene's pipeline is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.context import encode_context
from recall.query import Query
from recall.triggers import select_triggers
from router.engine.engine import Engine
from router.service.shopper import Shopper
from router.service.validation import CheckedRequest
from snapshot.catalogue import Catalogue

ANCHOR_UNKNOWN = "anchor_unknown"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The item whose company is wanted: int32[1], int32[0] where unknown, None where none is asked for."""

    items: NDArray[np.int32] | None
    degraded: tuple[str, ...] = ()


def find_anchor(catalogue: Catalogue, item_id: str) -> Anchor:
    """The anchor `item_id`; empty = none is asked for."""
    if not item_id:
        return Anchor(None)
    items = catalogue.dense([item_id])
    if items[0] == 0:
        return Anchor(items[:0], (ANCHOR_UNKNOWN,))
    return Anchor(items)


def build_query(
    engine: Engine,
    shopper: Shopper,
    asked: CheckedRequest,
    scene: str,
    anchor: Anchor,
    now: int,
    arms: Mapping[str, str],
) -> Query:
    """The query of one scene at unix second `now`, for a shopper in these `arms` (experiment → arm).

    With an anchor, it alone causes recall and is never shown; the shopper's history still orders the items.
    """
    excluded = engine.catalogue.dense(asked.excluded_item_ids)
    excluded = excluded[excluded > 0]
    if anchor.items is None:
        triggers, weights = select_triggers(
            shopper.history_items,
            shopper.history_events,
            shopper.history_ts,
            now,
            settings=engine.triggers,
        )
    else:
        triggers, weights = anchor.items, np.ones(anchor.items.size, np.float32)
        excluded = np.concatenate((excluded, anchor.items))
    return Query(
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
        purchased_items=shopper.purchased_items,
        purchased_ts=shopper.purchased_ts,
        model_versions=engine.model_versions,
        arms=arms,
    )
