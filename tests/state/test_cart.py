"""A cart kept as its changes equals one kept step by step, in both stores and whatever came when."""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.event_codes import CART, PURCHASE, REMOVE_FROM_CART, VIEW
from snapshot.item_keys import item_keys
from snapshot.tombstones import user_hash
from state import RedisSettings, StateSettings, open_state
from state.cart import contents, taken_out
from state.event_batch import EventBatch
from state.logged_event import LoggedEvent
from state.store import StateStore
from state.user_records import CART_CHANGES
from state.user_state import CartChanges, TimedItems, UserState

ITEMS = "abc"
NOW_MS = int(time.time() * 1_000)
_prefixes = count()

Act = tuple[str, int, int, int]
"""Item, event code, pieces (0 of a removal = all), unix second."""

acts = st.lists(
    st.tuples(
        st.sampled_from(ITEMS),
        st.sampled_from([CART, REMOVE_FROM_CART, PURCHASE, VIEW]),
        st.integers(0, 3),
    ),
    max_size=14,
)


def timed(rows: list[tuple[str, int, int]]) -> list[Act]:
    """One act a second; 0 pieces of anything but a removal are 1, as the event service has it."""
    return [
        (item, kind, pieces if kind == REMOVE_FROM_CART else pieces or 1, 1_000 + number)
        for number, (item, kind, pieces) in enumerate(rows)
    ]


def step_by_step(rows: list[Act]) -> tuple[dict[str, int], dict[str, int]]:
    """The pieces of each item in the cart, and when each was emptied by its newest removal."""
    cart: dict[str, int] = {}
    emptied: dict[str, int] = {}
    for item, kind, pieces, ts in sorted(rows, key=lambda row: row[3]):
        if kind == CART:
            cart[item] = cart.get(item, 0) + pieces
        elif kind == PURCHASE:
            cart.pop(item, None)
        elif kind == REMOVE_FROM_CART:
            left = cart.get(item, 0) - pieces if pieces else 0
            cart[item] = max(left, 0)
            emptied.pop(item, None)
            if not cart[item]:
                emptied[item] = ts
    return {item: pieces for item, pieces in cart.items() if pieces}, emptied


def batch_of(rows: list[Act], user: str = "u") -> EventBatch:
    return EventBatch.of(
        [
            LoggedEvent(user, item, kind, ts * 1_000, NOW_MS, quantity=pieces)
            for item, kind, pieces, ts in rows
        ]
    )


def kept(state: UserState) -> tuple[dict[str, int], dict[str, int]]:
    """The same, by the state."""
    name = dict(zip(item_keys(ITEMS).tolist(), ITEMS, strict=True))
    cart = contents(state.cart_changes, state.purchases, 0)
    gone = taken_out(state.cart_changes, state.purchases)
    return (
        {name[key]: pieces for key, pieces in zip(cart.items.tolist(), cart.pieces.tolist(), strict=True)},
        {name[key]: ts for key, ts in zip(gone.items.tolist(), gone.ts.tolist(), strict=True)},
    )


async def replayed(store: StateStore, user: str) -> UserState:
    """The user's state by a store of its own that is given what the log of `store` has."""
    events = [event for _, event in store.read_log() if event.user_id == user]
    with TemporaryDirectory() as folder:
        other = open_state(StateSettings(url=f"lmdb://{folder}", sync=False))
        if events:
            await other.append(EventBatch.of(events))
        state = await other.read(user)
        other.close()
    return state


def rows_of(changes: CartChanges) -> list[tuple[int, int, int]]:
    return list(zip(changes.items.tolist(), changes.pieces.tolist(), changes.ts.tolist(), strict=True))


@pytest.fixture(scope="module", params=["lmdb", "redis"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateStore]:
    if request.param == "lmdb":
        url = f"lmdb://{tmp_path_factory.mktemp('state')}"
    else:
        url = request.getfixturevalue("shared_redis").url
    # A busy machine must not turn a slow answer into a failed test.
    redis = RedisSettings(prefix=f"cart{next(_prefixes)}", read_timeout_s=10, write_timeout_s=10)
    settings = StateSettings(url=url, sync=False, redis=redis)
    opened = open_state(settings)
    yield opened
    opened.close()


_users = count()


@settings(max_examples=40, deadline=None)
@given(rows=acts, data=st.data())
def test_any_order_of_arrival_gives_the_cart_kept_step_by_step(
    store: StateStore, rows: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    wanted = step_by_step(timed(rows))
    arrived = data.draw(st.permutations(timed(rows)))
    split = data.draw(st.integers(0, len(arrived)))
    user = f"u{next(_users)}"

    async def send() -> tuple[UserState, UserState]:
        for part in (arrived[:split], arrived[split:]):
            if part:
                await store.append(batch_of(part, user))
        return await store.read(user), await replayed(store, user)

    state, again = asyncio.run(send())
    assert kept(state) == wanted
    assert rows_of(again.cart_changes) == rows_of(state.cart_changes)
    assert REMOVE_FROM_CART not in state.behaviours.events
    assert kept(again) == wanted


@given(acts)
def test_contents_are_those_put_in_last_first_since_a_moment(rows: list[tuple[str, int, int]]) -> None:
    changing = [act for act in timed(rows) if act[1] in (CART, REMOVE_FROM_CART)][::-1]
    signs = {CART: 1, REMOVE_FROM_CART: -1}
    changes = CartChanges(
        item_keys([item for item, *_ in changing]),
        np.array([signs[kind] * pieces for _, kind, pieces, _ in changing], np.int32),
        np.array([ts for *_, ts in changing], np.int64),
    )
    bought = [act for act in timed(rows) if act[1] == PURCHASE][::-1]
    purchases = TimedItems(
        item_keys([item for item, *_ in bought]), np.array([ts for *_, ts in bought], np.int64)
    )
    since = 1_004
    recent = [act for act in timed(rows) if act[1] != CART or act[3] > since]
    cart, _ = step_by_step(recent)
    put = {item: ts for item, kind, _, ts in timed(rows) if kind == CART}
    found = contents(changes, purchases, since)
    names = dict(zip(item_keys(ITEMS).tolist(), ITEMS, strict=True))
    assert [names[key] for key in found.items.tolist()] == sorted(cart, key=lambda item: -put[item])
    assert found.pieces.tolist() == [cart[names[key]] for key in found.items.tolist()]


def test_changes_are_kept_up_to_their_bound(tmp_path: Path) -> None:
    store = open_state(StateSettings(url=f"lmdb://{tmp_path}", sync=False, max_cart_changes=2))

    async def send() -> UserState:
        await store.append(batch_of([("a", CART, 1, 1), ("b", CART, 2, 2), ("c", CART, 3, 3)]))
        return await store.read("u")

    assert kept(asyncio.run(send()))[0] == {"b": 2, "c": 3}
    store.close()


def test_state_of_before_removals_has_the_cart_of_its_behaviours(store: StateStore) -> None:
    """A shopper whose state was written without the record, as earlier versions wrote it."""

    async def send() -> tuple[UserState, UserState]:
        await store.append(batch_of([("a", CART, 1, 1_000), ("b", CART, 1, 1_001)], "before"))
        forget_changes(store, "before")
        old = await store.read("before")
        await store.append(batch_of([("a", REMOVE_FROM_CART, 0, 1_002), ("c", CART, 2, 1_003)], "before"))
        return old, await store.read("before")

    old, new = asyncio.run(send())
    assert kept(old) == ({"a": 1, "b": 1}, {})
    assert kept(new) == ({"b": 1, "c": 2}, {"a": 1_002})


def forget_changes(store: StateStore, user: str) -> None:
    """Takes the record of changes away."""
    if hasattr(store, "_environment"):
        environment = store._environment
        environment.write(
            lambda transaction: transaction.delete(user_hash(user), db=environment.databases[CART_CHANGES])
        )
    else:
        store._client.hdel(store._keys.user(user_hash(user)), CART_CHANGES)  # type: ignore[attr-defined]


def test_merging_the_past_twice_adds_each_change_once(store: StateStore) -> None:
    past = UserState(
        cart_changes=CartChanges(
            item_keys(["a", "a"]), np.array([0, 2], np.int32), np.array([20, 10], np.int64)
        )
    )

    async def send() -> UserState:
        await store.append(batch_of([("a", CART, 2, 10), ("b", CART, 1, 30)], "merged"))
        for _ in range(2):
            store.merge([("merged", past)], 0)
        return await store.read("merged")

    state = asyncio.run(send())
    assert len(state.cart_changes.items) == 3
    assert kept(state) == ({"b": 1}, {"a": 20})


@pytest.mark.parametrize("pieces", [10**18, 2**31, -1, -(10**18)])
def test_quantities_that_no_router_wrote_are_bounded(store: StateStore, pieces: int) -> None:
    """Events of a log are stored and replayed whatever another writer put into them."""
    user = f"poison {pieces}"
    rows = [("a", CART, pieces, 1_000), ("b", CART, 2, 1_001), ("b", REMOVE_FROM_CART, pieces, 1_002)]

    async def send() -> UserState:
        await store.append(batch_of(rows, user))
        return await store.read(user)

    assert kept(asyncio.run(send())) == ({"a": min(max(pieces, 1), 2**31 - 1)}, {"b": 1_002})
