"""What is known of the shopper behind a request, in the dense ids of the snapshot that answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.profile import encode_profile
from foundation.storage.errors import StorageError, StorageUnavailable
from pipeline.trace import StageRecord
from router.query_features.kind import FeatureRequest
from router.query_features.read import FeatureReading, FeatureValues, read_features
from snapshot.catalogue import Catalogue
from state.cart import taken_out
from state.store import StateStore
from state.user_state import EMPTY_STATE, CartChanges, TimedItems, UserState

logger = logging.getLogger(__name__)

MAX_HISTORY = 200
STATE_DEGRADED = "state"


@dataclass(frozen=True, slots=True)
class Shopper:
    """One shopper as columns, newest first; only items the catalogue knows."""

    user_id: str
    history_items: NDArray[np.int32]
    history_events: NDArray[np.uint8]
    history_ts: NDArray[np.int64]
    purchases: TimedItems
    cart_changes: CartChanges
    taken_out: TimedItems
    """What the newest removal from the cart left nothing of (`state.cart.taken_out`)."""
    profile: Mapping[str, str]
    profile_codes: NDArray[np.int32]
    features: Mapping[str, Any]
    """Query feature → value, of those that were to be read."""
    degraded: tuple[str, ...]
    """"state" where the store failed and the shopper is answered as one never seen; "feature:<name>" of each
    query feature whose default is used."""
    trace: tuple[StageRecord, ...]
    """One record per query feature."""


async def read_shopper(
    store: StateStore,
    catalogue: Catalogue,
    user_id: str,
    city: str,
    reading: FeatureReading | None = None,
    crowd: Mapping[str, str] | None = None,
) -> Shopper:
    """Reads what is known of a shopper, and the query features of the request.

    Args:
        store: user state.
        catalogue: that of the snapshot that answers.
        user_id: the shop's own id; empty = anonymous.
        city: replaces the profile's where it is not empty.
        reading: the query features to read; None = none.
        crowd: profile that an anonymous shopper is taken to have.

    Raises:
        StageBug: a query feature has a bug.
    """
    state, degraded = await _read_state(store, user_id)
    known_profile = crowd or state.profile
    profile = {**known_profile, "city": city} if city else known_profile
    behaviours, purchases = state.behaviours, state.purchases
    behaved = catalogue.dense_from_keys(behaviours.items)
    known = np.flatnonzero(behaved)[:MAX_HISTORY]
    bought = catalogue.dense_from_keys(purchases.items)
    bought_known = np.flatnonzero(bought)
    known_purchases = TimedItems(bought[bought_known], purchases.ts[bought_known])
    cart_changes = _known_changes(state.cart_changes, catalogue)
    features = FeatureValues()
    if reading is not None:
        request = FeatureRequest(
            user_id,
            reading.now,
            state,
            profile,
            catalogue,
            store,
            reading.live,
            reading.environment,
            reading.budgets,
        )
        features = await read_features(request, reading)
    return Shopper(
        user_id=user_id,
        history_items=behaved[known],
        history_events=behaviours.events[known],
        history_ts=behaviours.ts[known],
        purchases=known_purchases,
        cart_changes=cart_changes,
        taken_out=taken_out(cart_changes, known_purchases),
        profile=profile,
        profile_codes=encode_profile(profile, catalogue.profile_vocab),
        features=features.values,
        degraded=(*degraded, *features.degraded),
        trace=features.trace,
    )


def _known_changes(changes: CartChanges, catalogue: Catalogue) -> CartChanges:
    """The changes of items that the catalogue knows, by dense index."""
    items = catalogue.dense_from_keys(changes.items)
    known = np.flatnonzero(items)
    return CartChanges(items[known], changes.pieces[known], changes.ts[known])


async def _read_state(store: StateStore, user_id: str) -> tuple[UserState, tuple[str, ...]]:
    if not user_id:
        return EMPTY_STATE, ()
    try:
        return await store.read(user_id), ()
    except StorageUnavailable:
        # The store logs once that it does not answer, not once per request.
        return EMPTY_STATE, (STATE_DEGRADED,)
    except StorageError as error:
        logger.warning("a shopper is answered as one never seen: %s", error)
        return EMPTY_STATE, (STATE_DEGRADED,)
