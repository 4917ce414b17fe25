"""What is known of one shopper: profile, newest events, and what they said of items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspection.item_summaries import summaries
from protos.shopfront.v1.admin_pb2 import InspectShopperResponse, ShopperEvent
from router.query_features.feedback import in_force
from snapshot.catalogue import Catalogue
from snapshot.event_codes import EVENT_NAMES, REMOVE_FROM_CART
from state.feedback_codes import (
    NOT_INTERESTED,
    NOT_INTERESTED_IN_BRAND,
    NOT_INTERESTED_IN_CATEGORY,
    OWNED,
    SEEN_TOO_OFTEN,
)
from state.records import merge
from state.user_state import Behaviours, CartChanges, UserState

_NAMES = EVENT_NAMES | {
    NOT_INTERESTED: "not_interested",
    NOT_INTERESTED_IN_BRAND: "not_interested_in_brand",
    NOT_INTERESTED_IN_CATEGORY: "not_interested_in_category",
    SEEN_TOO_OFTEN: "seen_too_often",
    OWNED: "own_it",
}


def inspect_shopper(state: UserState, catalogue: Catalogue, limit: int) -> InspectShopperResponse:
    """The shopper's profile, and at most `limit` events and `limit` things said, newest first."""
    removals = _removals(state.cart_changes)
    # Of equal times a removal is shown as the newer, as whatever was put in had to be there before.
    done = merge(state.behaviours, removals, len(state.behaviours.items) + len(removals.items))
    return InspectShopperResponse(
        events=_events(done, np.arange(min(limit, len(done.items))), catalogue),
        profile=dict(state.profile),
        known_events=len(done.items),
        known_purchases=len(state.purchases.items),
        said=_events(state.feedback, in_force(state.feedback)[:limit], catalogue),
    )


def _removals(changes: CartChanges) -> Behaviours:
    removed = changes.pieces <= 0
    codes = np.full(np.count_nonzero(removed), REMOVE_FROM_CART, np.uint8)
    return Behaviours(changes.items[removed], codes, changes.ts[removed])


def _events(rows: Behaviours, positions: NDArray[np.intp], catalogue: Catalogue) -> list[ShopperEvent]:
    items = summaries(catalogue, catalogue.dense_from_keys(rows.items[positions]))
    codes, times = rows.events[positions].tolist(), rows.ts[positions].tolist()
    return [
        ShopperEvent(item=item, type=_NAMES.get(code, str(code)), at=at)
        for item, code, at in zip(items, codes, times, strict=True)
    ]
