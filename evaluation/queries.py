"""Test shoppers as recall queries: what the router would ask at the test cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.context import encode_context
from features.profile import PROFILE_FIELDS
from models.interaction_log import InteractionLog
from recall.query import Query
from recall.triggers import TriggerSettings, select_triggers
from router.query_features.read import default_features
from router.query_features.registry import QUERY_FEATURES
from snapshot.event_codes import PURCHASE
from state.cart import taken_out
from state.user_state import CartChanges, TimedItems

QUERY_HISTORY = 200
DAY = 86_400

LogOf = Callable[[NDArray[np.integer[Any]]], InteractionLog]
"""The log of the shoppers of these indices, int[n]; it may hold others too."""


@dataclass(frozen=True, slots=True)
class TestShopper:
    """One shopper at the test cut.

    query: all that happened before; targets: int32[t], distinct items taken from the cut on, t ≥ 1;
    new_targets: int32[≤ t], those never taken before; next_targets: int32[≤ t], those taken on the first day
    (UTC) with any; first_taken: int64[t], unix second at which each target was first taken from the cut on;
    user: index in the log, 0 = not in it.
    """

    __test__ = False

    query: Query
    targets: np.ndarray
    new_targets: np.ndarray
    next_targets: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    first_taken: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    user: int = 0

    def taken_before(self, until: float) -> np.ndarray:
        """int32[≤ t]: the targets first taken before unix second `until`."""
        return self.targets[self.first_taken < until]


def test_shoppers(
    log: InteractionLog,
    users: pl.DataFrame,
    test_from: int,
    max_users: int,
    triggers: TriggerSettings,
    rng: np.random.Generator,
) -> list[TestShopper]:
    """Shoppers who take something from `test_from` on; at most `max_users`, drawn by `rng`, by user index."""
    behaviours = log.behaviours
    active = np.unique(behaviours.user[behaviours.ts >= test_from])
    return shoppers_at(log, drawn(active, max_users, rng), users, test_from, triggers)


test_shoppers.__test__ = False  # type: ignore[attr-defined]


def drawn(users: NDArray[np.integer[Any]], most: int, rng: np.random.Generator) -> NDArray[np.integer[Any]]:
    """The user indices, or `most` of them, drawn by `rng`, where there are more; ascending if `users` are."""
    return users if len(users) <= most else np.sort(rng.choice(users, most, replace=False))


def shoppers_at(
    log: InteractionLog,
    shoppers: NDArray[np.integer[Any]],
    users: pl.DataFrame,
    test_from: int,
    triggers: TriggerSettings,
    newest: Sequence[int] | None = None,
) -> list[TestShopper]:
    """`shopper_at` of each of the user indices.

    log: holds all that these shoppers did; users: of the data set; newest: of each, or None for all.
    """
    profiles = profiles_of(users.filter(pl.col("user").is_in(shoppers.tolist())))
    known = [None] * len(shoppers) if newest is None else newest
    return [
        shopper_at(log, int(user), profiles, test_from, triggers, few)
        for user, few in zip(shoppers, known, strict=True)
    ]


def anonymous_at(now: int) -> Query:
    """The query of a shopper whom nobody knows, at unix second `now`."""
    return Query(
        scene="evaluation",
        now=now,
        context_codes=encode_context(now),
        features=default_features(QUERY_FEATURES),
    )


def distinct_askers(queries: Sequence[Query]) -> tuple[list[int], NDArray[np.int64]]:
    """The queries that have to be answered, where all shoppers whom nobody knows are asked the same.

    Returns:
        rows: positions in `queries`, ascending: of known shoppers, and of the first whom nobody knows.
        own: int64[q], for each of `queries` the position in `rows` of the one whose answer is its own.
    """
    rows: list[int] = []
    own = np.empty(len(queries), np.int64)
    nobody: int | None = None
    for at, query in enumerate(queries):
        if query.user_id or nobody is None:
            own[at] = len(rows)
            if not query.user_id:
                nobody = len(rows)
            rows.append(at)
        else:
            own[at] = nobody
    return rows, own


def profiles_of(users: pl.DataFrame) -> dict[int, tuple[str, Mapping[str, str]]]:
    """User index → (user_id, profile: field → value, without the unknown)."""
    fields = [field for field in PROFILE_FIELDS if field in users.columns]
    names = users["user_id"] if "user_id" in users.columns else users["user"].cast(pl.String)
    return {
        user: (name, {field: value for field, value in zip(fields, values, strict=True) if value is not None})
        for user, name, *values in zip(users["user"], names, *(users[field] for field in fields), strict=True)
    }


def shopper_at(
    log: InteractionLog,
    user: int,
    profiles: Mapping[int, tuple[str, Mapping[str, str]]],
    test_from: int,
    triggers: TriggerSettings,
    newest: int | None = None,
) -> TestShopper:
    """The shopper of index `user` at `test_from`; targets may be empty.

    profiles: as of `profiles_of`; newest: behaviours before `test_from` that are known, the newest; 0: nobody
    knows this shopper; None: all, and carts.
    """
    behaviours = log.behaviours
    first, last = behaviours.offsets[user], behaviours.offsets[user + 1]
    cut = int(first + np.searchsorted(behaviours.ts[first:last], test_from))
    if newest is not None:
        first = max(int(first), cut - newest)
    recent = slice(max(first, cut - QUERY_HISTORY), cut)
    items, events, ts = (
        np.ascontiguousarray(column[recent][::-1])
        for column in (behaviours.item, behaviours.event, behaviours.ts)
    )
    chosen, weights = select_triggers(items, events, ts, test_from, settings=triggers)
    before = slice(first, cut)
    bought = behaviours.event[before] == PURCHASE
    # In order of time, so the first of an item's behaviours is its first take.
    targets, first_of = np.unique(behaviours.item[cut:last], return_index=True)
    days = behaviours.ts[cut:last] // DAY
    next_targets = np.unique(behaviours.item[cut:last][days == days[:1]])
    user_id, profile = profiles[user]
    purchases = TimedItems(behaviours.item[before][bought][::-1], behaviours.ts[before][bought][::-1])
    changes = _cart_changes(log if newest is None else replace(log, carts=None), user, test_from)
    removed = taken_out(changes, purchases)
    query = Query(
        scene="evaluation",
        user_id=user_id,
        now=test_from,
        history_items=items,
        history_events=events,
        history_ts=ts,
        triggers=chosen,
        trigger_weights=weights,
        profile=profile,
        profile_codes=log.profile[user],
        context_codes=encode_context(test_from),
        purchased_items=purchases.items,
        purchased_ts=purchases.ts,
        removed_items=removed.items,
        removed_ts=removed.ts,
        features=default_features(QUERY_FEATURES),
    )
    new_targets = np.setdiff1d(targets, behaviours.item[before])
    first_taken = behaviours.ts[cut:last][first_of].astype(np.int64)
    if newest == 0:
        query = anonymous_at(test_from)
    return TestShopper(query, targets, new_targets, next_targets, first_taken, user)


def _cart_changes(log: InteractionLog, user: int, until: int) -> CartChanges:
    """What the shopper put into the cart and took out before unix second `until`, newest first."""
    if log.carts is None:
        return CartChanges(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))
    carts = log.carts
    first, last = carts.offsets[user], carts.offsets[user + 1]
    own = slice(first, first + int(np.searchsorted(carts.ts[first:last], until)))
    return CartChanges(carts.item[own][::-1], carts.pieces[own][::-1], carts.ts[own][::-1])
