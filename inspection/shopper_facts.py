"""What is known of one shopper: profile, newest events, and what they said of items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspection.item_summaries import summaries
from protos.shopfront.v1.admin_pb2 import InspectShopperResponse, ShopperEvent
from router.query_features.feedback import in_force
from snapshot.catalogue import Catalogue
from snapshot.event_codes import EVENT_CODES
from state.feedback_codes import (
    NOT_INTERESTED,
    NOT_INTERESTED_IN_BRAND,
    NOT_INTERESTED_IN_CATEGORY,
    OWNED,
    SEEN_TOO_OFTEN,
)
from state.user_state import Behaviours, UserState

_NAMES = {code: name for name, code in EVENT_CODES.items()} | {
    NOT_INTERESTED: "not_interested",
    NOT_INTERESTED_IN_BRAND: "not_interested_in_brand",
    NOT_INTERESTED_IN_CATEGORY: "not_interested_in_category",
    SEEN_TOO_OFTEN: "seen_too_often",
    OWNED: "own_it",
}


def inspect_shopper(state: UserState, catalogue: Catalogue, limit: int) -> InspectShopperResponse:
    """The shopper's profile, and at most `limit` events and `limit` things said, newest first."""
    done = state.behaviours
    return InspectShopperResponse(
        events=_events(done, np.arange(min(limit, len(done.items))), catalogue),
        profile=dict(state.profile),
        known_events=len(done.items),
        known_purchases=len(state.purchases.items),
        said=_events(state.feedback, in_force(state.feedback)[:limit], catalogue),
    )


def _events(rows: Behaviours, positions: NDArray[np.intp], catalogue: Catalogue) -> list[ShopperEvent]:
    items = summaries(catalogue, catalogue.dense_from_keys(rows.items[positions]))
    codes, times = rows.events[positions].tolist(), rows.ts[positions].tolist()
    return [
        ShopperEvent(item=item, type=_NAMES.get(code, str(code)), at=at)
        for item, code, at in zip(items, codes, times, strict=True)
    ]
