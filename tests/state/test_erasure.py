"""Deletion of a shopper in both stores: nothing is left in answers and files, and nothing else is lost."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from snapshot.item_keys import item_keys
from snapshot.tombstones import NEVER, user_hash
from state import RedisSettings, StateSettings, TimedItems, UserState, open_state
from state.store import StateStore
from testing.redis_server import RedisServer, running_redis
from tests.state.batches import batch

pytestmark = pytest.mark.slow

HER = "anna@shop.example"
HER_ITEMS = [f"only-hers-{n}" for n in range(40)]
OTHERS = [f"other-{n:03}" for n in range(60)]
NOW_S = 1_700_000_000


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW_S)

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def durable_redis() -> Iterator[RedisServer]:
    """A server that keeps both kinds of files."""
    with running_redis("--appendonly", "yes", "--save", "3600 1") as server:
        yield server


@pytest.fixture(params=["lmdb", "redis"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[StateSettings, Path]]:
    """Settings of an empty store, and the folder of its files."""
    if request.param == "lmdb":
        yield StateSettings(url=f"lmdb://{tmp_path / 'state'}"), tmp_path / "state"
        return
    server = request.getfixturevalue("durable_redis")
    prefix = f"erasure-{os.getpid()}-{time.monotonic_ns()}"
    yield (
        StateSettings(
            url=server.url, redis=RedisSettings(prefix=prefix, read_timeout_s=10, write_timeout_s=10)
        ),
        server.folder,
    )
    with server.client() as client:
        client.flushall()


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def marks() -> list[bytes]:
    """What names her or what she did: her id, its hash in both forms, her items and their keys."""
    keys = [key.tobytes() for key in item_keys(HER_ITEMS)]
    hashed = user_hash(HER)
    return [HER.encode(), hashed, hashed.hex().encode(), b"only-hers-", b"her-query", b"her-event", *keys]


def report(store: StateStore, rows: list[tuple[str, str, int, int]], **more: object) -> None:
    asyncio.run(store.append(batch(*rows, **more)))  # type: ignore[arg-type]


def fill(store: StateStore) -> int:
    """Events of her among those of others, in several transactions; returns hers."""
    count = 0
    for turn in range(20):
        hers = [(HER, HER_ITEMS[2 * turn + n], 2 + 3 * n, NOW_S - 900 + turn) for n in range(2)]
        others = [(user, f"item-{turn}", 2, NOW_S - 900 + turn) for user in OTHERS[turn : turn + 30]]
        rows = [*others[:15], *hers, *others[15:]]
        ids = [f"her-event-{turn}-{n}" if row[0] == HER else "" for n, row in enumerate(rows)]
        report(store, rows, event_ids=ids)
        count += len(hers)
    asyncio.run(store.append_impressions(HER, item_keys(HER_ITEMS), NOW_S - 5))
    store.put_profiles({HER: {"city": "Lyon"}, OTHERS[0]: {"city": "Nice"}}, NOW_S)
    deadline = time.monotonic() + 10
    while store.status().queued_impressions and time.monotonic() < deadline:
        time.sleep(0.01)
    return count


def everything_of_others(store: StateStore) -> list[object]:
    states = asyncio.run(store.read_many(OTHERS))
    return [
        [event for event in store.read_log() if event[1].user_id != HER],
        [(s.behaviours.items.tolist(), s.behaviours.ts.tolist(), dict(s.profile)) for s in states],
    ]


def test_nothing_of_a_deleted_shopper_is_left_in_answers_and_files(kept: tuple[StateSettings, Path]) -> None:
    settings, folder = kept
    clock = Clock()
    store = open_state(settings, clock)
    try:
        events = fill(store)
        before = everything_of_others(store)
        assert all(mark in bytes_in(folder) for mark in (HER.encode(), b"only-hers-3"))

        erased = store.erase(HER)

        assert erased.log_entries == events == 40
        assert erased.event_ids == 40
        assert erased.records == {"behaviours": 40, "purchases": 20, "impressions": 40, "profiles": 1}
        assert store.unfinished_erasures() == [HER]
        store.end_erasure(HER)
        assert store.unfinished_erasures() == []
        assert store.compaction_due()
        compaction = store.compact()
        assert compaction.done
        assert compaction.pending == ()
        assert not store.compaction_due()
        found = bytes_in(folder)
        assert [mark for mark in marks() if mark in found] == []

        assert list(store.logged(HER)) == []
        state = asyncio.run(store.read(HER))
        assert len(state.behaviours.items) == len(state.impressions.items) == len(state.profile) == 0
        assert everything_of_others(store) == before
        assert store.tombstones().of(HER) == NOW_S * 1_000
        assert store.tombstones().of(OTHERS[0]) == NEVER
        assert store.tombstones().revision == store.erasures_revision() == 1
        # Writes fill the gaps of pages with whatever the process still has in memory.
        for turn in range(30):
            report(store, [(user, f"later-{turn}", 2, NOW_S + turn) for user in OTHERS])
        found = bytes_in(folder)
        assert [mark for mark in marks() if mark in found] == []
    finally:
        store.close()


def test_no_trace_is_left_of_any_of_many_shoppers(lmdb_settings: StateSettings) -> None:
    shoppers = [f"shopper-{n:03}" for n in range(900)]
    folder = Path(lmdb_settings.url.removeprefix("lmdb://"))
    store = open_state(lmdb_settings.model_copy(update={"sync": False}), Clock())
    try:
        shown = TimedItems(item_keys([f"i{n}" for n in range(30)]), np.arange(30, 0, -1, dtype=np.int64))
        store.merge([(user, UserState(impressions=shown, profile={"n": user})) for user in shoppers], NOW_S)
        report(
            store, [(user, "x", 2, NOW_S) for user in shoppers], event_ids=[f"e-{user}" for user in shoppers]
        )
        # Keys of some of them are in inner pages of the trees, too.
        for user in shoppers[::12]:
            store.erase(user)
            store.end_erasure(user)
        assert store.compact().pending == ()
        found = (folder / "data.mdb").read_bytes()
        assert [
            user for user in shoppers[::12] if user_hash(user) in found or f"-{user}".encode() in found
        ] == []
        kept = [user for user in shoppers if user not in shoppers[::12]]
        states = asyncio.run(store.read_many(kept))
        assert all(len(state.impressions.items) == 30 and state.profile for state in states)
        assert [event.user_id for _, event in store.read_log()] == kept
    finally:
        store.close()


def test_a_deletion_is_repeatable_and_an_unknown_shopper_an_answer(kept: tuple[StateSettings, Path]) -> None:
    settings, _ = kept
    clock = Clock()
    store = open_state(settings, clock)
    try:
        assert store.tombstones().revision == 0
        assert not store.erase("nobody").found
        store.end_erasure("nobody")
        assert store.compact().pending == ()
        fill(store)
        assert store.erase(HER).found
        clock.now += 10
        assert not store.erase(HER).found
        store.end_erasure(HER)
        store.end_erasure(HER)
        assert store.compact().pending == ()
        assert store.tombstones().of(HER) == (NOW_S + 10) * 1_000
        assert len(store.tombstones()) == 2
    finally:
        store.close()


def test_what_is_of_before_a_deletion_is_not_stored_again_and_what_comes_later_is(
    kept: tuple[StateSettings, Path],
) -> None:
    settings, _ = kept
    clock = Clock()
    store = open_state(settings, clock)
    try:
        fill(store)
        store.erase(HER)
        seqs = [seq for seq, _ in store.read_log()]
        # A backend that got no answer sends again; a replica writes what it served before.
        again = [(HER, "only-hers-1", 2, NOW_S - 900), (OTHERS[0], "x", 2, NOW_S)]
        report(store, again, event_ids=["her-event-0-15", ""])
        asyncio.run(store.append_impressions(HER, item_keys(HER_ITEMS), NOW_S - 1))
        report(store, [(HER, "new", 5, NOW_S + 1)])
        asyncio.run(store.append_impressions(HER, item_keys(["new"]), NOW_S + 2))
        deadline = time.monotonic() + 10
        while store.status().queued_impressions and time.monotonic() < deadline:
            time.sleep(0.01)
        state = asyncio.run(store.read(HER))
        new = item_keys(["new"]).tolist()
        assert state.purchases.items.tolist() == state.behaviours.items.tolist() == new
        assert state.impressions.items.tolist() == new
        assert [event.item_id for _, event in store.logged(HER)] == ["new"]
        # Numbers of deleted entries are never used again.
        assert min(seq for seq, _ in store.read_log(after_seq=seqs[-1])) > seqs[-1]
    finally:
        store.close()


def test_deletion_while_her_events_arrive_leaves_none_of_before(kept: tuple[StateSettings, Path]) -> None:
    settings, _ = kept
    store = open_state(settings)
    stop = threading.Event()
    sent = []

    def click() -> None:
        writer = store if settings.url.startswith("lmdb") else open_state(settings)
        while not stop.is_set():
            now_ms = int(time.time() * 1_000)
            report(
                writer,
                [(HER, f"only-hers-{len(sent)}", 2, now_ms // 1_000), (OTHERS[1], "x", 2, now_ms // 1_000)],
            )
            sent.append(now_ms)
        if writer is not store:
            writer.close()

    try:
        clicking = threading.Thread(target=click)
        clicking.start()
        while len(sent) < 20:
            time.sleep(0.005)
        store.erase(HER)
        store.end_erasure(HER)
        before = len(sent)
        while len(sent) < before + 5:
            time.sleep(0.005)
        assert store.compact().pending == ()
        stop.set()
        clicking.join()
        erased_ms = store.tombstones().of(HER)
        assert all(event.timestamp_ms > erased_ms for _, event in store.logged(HER))
        assert all(ts * 1_000 > erased_ms for ts in asyncio.run(store.read(HER)).behaviours.ts.tolist())
        # Of the other shopper nothing was lost.
        assert sum(event.user_id == OTHERS[1] for _, event in store.read_log()) == len(sent)
    finally:
        stop.set()
        store.close()


def _delete_until_killed(settings: StateSettings, steps: int) -> None:
    """Deletes her in a process that is killed once the store has called its storage `steps` times."""
    store = open_state(settings, Clock())
    called: Any = getattr(store, "_environment" if settings.url.startswith("lmdb") else "_client")
    done = "write" if hasattr(called, "write") else "execute_command"
    original: Callable[..., object] = getattr(called, done)
    calls = iter(range(steps))

    def counted(*arguments: object, **more: object) -> object:
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **more)

    setattr(called, done, counted)
    store.erase(HER)
    store.end_erasure(HER)
    store.compact()


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8])
def test_a_deletion_that_is_killed_anywhere_is_resumed(
    kept: tuple[StateSettings, Path], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, folder = kept
    monkeypatch.setattr("state.lmdb_deletions._ERASE_STEP", 5)
    store = open_state(settings, Clock())
    fill(store)
    store.close()
    killed = multiprocessing.get_context("fork").Process(target=_delete_until_killed, args=(settings, steps))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    store = open_state(settings, Clock())
    try:
        for user in {*store.unfinished_erasures(), HER}:
            store.erase(user)
            store.end_erasure(user)
        assert store.compact().pending == ()
        found = bytes_in(folder)
        assert [mark for mark in marks() if mark in found] == []
        assert len(list(store.read_log())) == 20 * 30
    finally:
        store.close()


def test_consumer_groups_of_the_log_outlive_its_rewriting(redis_settings: StateSettings) -> None:
    store = open_state(redis_settings, Clock())
    client = redis.Redis.from_url(redis_settings.url)
    key = f"{{{redis_settings.redis.prefix}}}:log"
    try:
        fill(store)
        client.xgroup_create(key, "training", id="0")
        first = client.xreadgroup("training", "one", {key: ">"}, count=100)[0][1]
        client.xack(key, "training", *(id for id, _ in first[:50]))
        others = [id for id, fields in first[50:] if HER.encode() not in fields[b"event"]]
        store.erase(HER)
        store.end_erasure(HER)
        assert store.compact().pending == ()
        pending = client.xpending_range(key, "training", "-", "+", 1_000)
        assert [each["message_id"] for each in pending if each["message_id"] in others] == others
        assert {each["consumer"] for each in pending} == {b"one"}
        read = client.xreadgroup("training", "two", {key: ">"}, count=10_000)[0][1]
        seen = [int(id.partition(b"-")[0]) for id, _ in (*first, *read)]
        assert seen == sorted(set(seen))
        assert {seq for seq, _ in store.read_log()} <= set(seen)
    finally:
        client.close()
        store.close()
