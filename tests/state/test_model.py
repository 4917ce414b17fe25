"""The store against a plain model: lists of everything that arrived, sorted when asked."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.item_keys import item_keys
from state import RedisSettings, StateSettings, open_state
from state.store import StateStore
from testing.redis_server import RedisServer
from tests.state.batches import batch

BEHAVIOURS, PURCHASES, IMPRESSIONS = 6, 4, 5
Row = tuple[str, str, int, int, str]

event_rows = st.tuples(
    st.sampled_from(["u", "v", "w"]),
    st.sampled_from(["a", "b", "c", "d"]),
    st.integers(1, 5),
    st.integers(1_000, 1_010),
    st.sampled_from(["", "", "e1", "e2", "e3"]),
)


@dataclass
class Model:
    arrived: list[Row] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def append(self, rows: list[Row]) -> None:
        for row in rows:
            user, event_id = row[0], row[4]
            if event_id and (user, event_id) in self.seen:
                continue
            self.seen.add((user, event_id))
            self.arrived.append(row)

    def newest(self, user: str, events: set[int], limit: int) -> list[tuple[str, int, int]]:
        latest_first = [row[1:4] for row in reversed(self.arrived) if row[0] == user and row[2] in events]
        return sorted(latest_first, key=lambda row: -row[2])[:limit]


async def check(store: StateStore, model: Model) -> None:
    names = dict(zip(item_keys("abcd").tolist(), "abcd", strict=True))
    for user in "uvwx":
        state = await store.read(user)
        behaviours = zip(
            [names[key] for key in state.behaviours.items.tolist()],
            state.behaviours.events.tolist(),
            state.behaviours.ts.tolist(),
            strict=True,
        )
        assert list(behaviours) == model.newest(user, {2, 3, 4, 5}, BEHAVIOURS)
        for rows, event, limit in ((state.purchases, 5, PURCHASES), (state.impressions, 1, IMPRESSIONS)):
            found = zip([names[key] for key in rows.items.tolist()], rows.ts.tolist(), strict=True)
            assert list(found) == [(item, ts) for item, _, ts in model.newest(user, {event}, limit)]
    logged = [
        (entry.user_id, entry.item_id, entry.event, entry.timestamp_ms // 1000, entry.event_id)
        for _, entry in store.read_log()
    ]
    assert logged == model.arrived


@pytest.mark.parametrize("kind", ["lmdb", pytest.param("redis", marks=pytest.mark.slow)])
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.lists(event_rows, min_size=1, max_size=8), st.booleans(), st.booleans()), max_size=8
    )
)
def test_any_sequence_of_events_leaves_what_the_model_holds(
    shared_redis: RedisServer, kind: str, steps: list[tuple[list[Row], bool, bool]]
) -> None:
    model = Model()
    with TemporaryDirectory() as folder:
        state_settings = StateSettings(
            url=f"lmdb://{Path(folder) / 'state'}" if kind == "lmdb" else shared_redis.url,
            max_behaviours=BEHAVIOURS,
            max_purchases=PURCHASES,
            max_impressions=IMPRESSIONS,
            sync=False,
            redis=RedisSettings(prefix=Path(folder).name, read_timeout_s=10, write_timeout_s=10),
        )
        store = open_state(state_settings)

        async def apply() -> None:
            nonlocal store
            waiting: list[asyncio.Task[None]] = []
            for rows, wait, reopen in steps:
                events = batch(*[row[:4] for row in rows], event_ids=[row[4] for row in rows])
                waiting.append(asyncio.create_task(store.append(events)))
                # The task submits the batch when it first runs, so batches queue in this order.
                await asyncio.sleep(0)
                model.append(rows)
                if wait or reopen:
                    await asyncio.gather(*waiting)
                    waiting.clear()
                    await check(store, model)
                if reopen:
                    store.close()
                    store = open_state(state_settings)
            await asyncio.gather(*waiting)
            await check(store, model)

        asyncio.run(apply())
        store.close()
