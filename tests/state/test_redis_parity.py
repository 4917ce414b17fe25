"""The same operations on LMDB and on Redis leave the same bytes."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lmdb
import numpy as np
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.item_keys import item_keys
from snapshot.tombstones import user_hash
from state import Behaviours, RedisSettings, StateSettings, TimedItems, UserState, open_state
from state.redis_keys import RedisKeys
from state.store import StateStore
from state.user_records import RECORDS
from state.user_state import CartChanges
from testing.redis_server import RedisServer
from tests.state.batches import NOW_MS, batch

USERS = ("u", "v", "ü")
DAY_S = 86_400
_prefixes = count()

users = st.sampled_from(USERS)
items = st.sampled_from("abcd")
times = st.integers(1_000, 1_010)
rows = st.lists(
    st.tuples(users, items, st.integers(1, 6), times, st.sampled_from(["", "e1", "e2"])),
    min_size=1,
    max_size=6,
)
profiles = st.dictionaries(st.sampled_from(["city", "gender"]), st.sampled_from(["Lyon", "f", "Nîmes"]))
past = st.lists(st.tuples(items, st.integers(2, 6), times), max_size=5)
operations = st.one_of(
    st.tuples(st.just("append"), rows),
    st.tuples(st.just("wait"), st.integers(1, 3 * DAY_S)),
    st.tuples(st.just("profile"), users, profiles, st.integers(1, 5)),
    st.tuples(st.just("merge"), users, past, profiles, st.integers(1, 5)),
    st.tuples(st.just("delete"), users),
)


def past_state(rows: list[tuple[str, int, int]], profile: dict[str, str]) -> UserState:
    newest = sorted(rows, key=lambda row: -row[2])
    keys = item_keys([row[0] for row in newest])
    events = np.array([row[1] for row in newest], dtype=np.uint8)
    ts = np.array([row[2] for row in newest], dtype=np.int64)
    bought, removed = events == 5, events == 6
    changes = removed | (events == 4)
    return UserState(
        Behaviours(keys[~removed], events[~removed], ts[~removed]),
        TimedItems(keys[bought], ts[bought]),
        profile=profile,
        cart_changes=CartChanges(
            keys[changes], np.where(removed, 0, 1)[changes].astype(np.int32), ts[changes]
        ),
    )


async def apply(store: StateStore, now: list[float], operation: tuple[Any, ...]) -> Any:
    match operation:
        case ("append", rows):
            await store.append(
                batch(*[row[:4] for row in rows], event_ids=[row[4] for row in rows], arrived_ms=NOW_MS)
            )
            return store.status().repeated_events
        case ("wait", seconds):
            now[0] += seconds
            return None
        case ("profile", user, profile, updated_at):
            return store.put_profiles({user: profile}, updated_at)
        case ("merge", user, rows, profile, updated_at):
            return store.merge([(user, past_state(rows, profile))], updated_at)
        case ("delete", user):
            return store.delete_user(user)
    raise AssertionError(operation)


def bytes_in_lmdb(folder: Path, user: str) -> dict[bytes, bytes | None]:
    with lmdb.open(str(folder), max_dbs=len(RECORDS)) as environment:
        found = {}
        for name in RECORDS:
            database = environment.open_db(name)
            with environment.begin() as transaction:
                found[name] = transaction.get(user_hash(user), db=database)
    return found


def bytes_in_redis(client: redis.Redis, prefix: str, user: str) -> dict[bytes, bytes | None]:
    key = RedisKeys(prefix).user(user_hash(user))
    return dict(zip(RECORDS, client.hmget(key, RECORDS), strict=True))


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(operations, max_size=10))
def test_the_same_operations_leave_the_same_bytes(
    shared_redis: RedisServer, steps: list[tuple[Any, ...]]
) -> None:
    prefix = f"parity-{next(_prefixes)}"
    with TemporaryDirectory() as folder, shared_redis.client() as client:
        limits = {
            "max_behaviours": 5,
            "max_purchases": 3,
            "max_impressions": 4,
            "max_cart_changes": 4,
            "log_max_events": 12,
        }
        answers = []
        logs = []
        for url in (f"lmdb://{folder}/s", shared_redis.url):
            now = [NOW_MS / 1000]

            def clock(now: list[float] = now) -> float:
                return now[0]

            redis_settings = RedisSettings(prefix=prefix, read_timeout_s=10, write_timeout_s=10)
            store = open_state(StateSettings(url=url, sync=False, redis=redis_settings, **limits), clock)

            async def run(store: StateStore = store, now: list[float] = now) -> list[Any]:
                return [await apply(store, now, step) for step in steps]

            answers.append(asyncio.run(run()))
            logs.append(list(store.read_log()))
            store.close()
        assert answers[0] == answers[1]
        assert logs[0] == logs[1]
        for user in USERS:
            assert bytes_in_lmdb(Path(folder) / "s", user) == bytes_in_redis(client, prefix, user)


async def test_two_routers_write_one_user_and_lose_nothing(redis_settings: StateSettings) -> None:
    """Every write of one finds the records changed by the other in between, again and again."""
    stores = [open_state(redis_settings) for _ in range(3)]

    async def write(name: int, store: StateStore) -> None:
        for n in range(40):
            await store.append(batch(("shared", f"{name}-{n}", 2, 1_000 + n), event_ids=[f"{name}-{n}"]))

    await asyncio.gather(*[write(name, store) for name, store in enumerate(stores)])
    state = await stores[0].read("shared")
    assert len(state.behaviours.items) == 120
    assert sorted(state.behaviours.ts.tolist(), reverse=True) == state.behaviours.ts.tolist()
    logged = list(stores[1].read_log())
    assert [seq for seq, _ in logged] == list(range(1, 121))
    for name in range(3):
        own = [entry.item_id for _, entry in logged if entry.item_id.startswith(f"{name}-")]
        assert own == [f"{name}-{n}" for n in range(40)]
    for store in stores:
        store.close()


def test_a_user_who_changes_meanwhile_is_decided_anew(
    redis_settings: StateSettings, shared_redis: RedisServer
) -> None:
    store, other = open_state(redis_settings), open_state(redis_settings)
    decisions: list[int] = []

    def interfering(original: Callable[..., bool]) -> Callable[..., bool]:
        def put_profile(*arguments: Any) -> bool:
            decisions.append(1)
            if len(decisions) == 1:
                other.put_profiles({"u": {"city": "Nice"}}, 50)
            return original(*arguments)

        return put_profile

    store._records.put_profile = interfering(store._records.put_profile)  # type: ignore[attr-defined]
    assert store.put_profiles({"u": {"city": "Lyon"}}, 40) == 0
    assert len(decisions) == 2
    assert asyncio.run(store.read("u")).profile == {"city": "Nice"}
    store.close()
    other.close()
