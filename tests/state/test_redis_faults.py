"""Redis killed, frozen, wrongly configured: what callers see, and that nothing acknowledged is lost."""

import asyncio
import logging
from typing import Any

import pytest

from foundation.storage.errors import StorageError, StorageUnavailable
from foundation.storage.redis_server import durability_warnings
from foundation.storage.redis_url import PASSWORD_VARIABLE, client_url, redacted
from snapshot.item_keys import item_keys
from snapshot.tombstones import user_hash
from state import EMPTY_STATE, RedisSettings, StateOverloaded, StateSettings, open_state
from state.redis_keys import RedisKeys
from state.storage_names import STATE_NAMES
from state.store import StateStore
from testing.redis_server import RedisServer, running_redis
from tests.state.batches import batch

pytestmark = pytest.mark.slow

VIEW = 2


def impatient(server: RedisServer, **changes: object) -> StateSettings:
    redis_settings = {"read_timeout_s": 0.2, "write_timeout_s": 0.3, "write_tries": 2, **changes}
    return StateSettings(url=server.url, redis=RedisSettings.model_validate(redis_settings))


def patient(server: RedisServer) -> StateSettings:
    return StateSettings(
        url=server.url, redis=RedisSettings(read_timeout_s=10, write_timeout_s=10, write_tries=30)
    )


async def until_stored(store: StateStore, item: str, user: str = "u") -> None:
    """Sends one event again and again, as a caller does, until it is acknowledged."""
    while True:
        try:
            await store.append(batch((user, item, VIEW, 1), event_ids=[item]))
            return
        except (StorageUnavailable, StateOverloaded):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kills", [3])
async def test_a_killed_server_loses_nothing_acknowledged(redis_server: RedisServer, kills: int) -> None:
    store = open_state(impatient(redis_server))
    acknowledged: list[str] = []
    progress: asyncio.Queue[str] = asyncio.Queue()
    stop = False

    async def caller(name: int) -> None:
        n = 0
        while not stop:
            item = f"{name}-{n}"
            await until_stored(store, item, user=f"u{name}")
            acknowledged.append(item)
            progress.put_nowait(item)
            n += 1

    async def acknowledge(further: int) -> None:
        while not progress.empty():
            progress.get_nowait()
        for _ in range(further):
            await progress.get()

    callers = [asyncio.create_task(caller(name)) for name in range(8)]
    for _ in range(kills):
        await acknowledge(50)
        redis_server.kill()
        await asyncio.sleep(0.05)
        await asyncio.to_thread(redis_server.start)
    await acknowledge(50)
    stop = True
    await asyncio.gather(*callers)

    logged = [entry.item_id for _, entry in store.read_log()]
    assert set(acknowledged) <= set(logged)
    assert len(logged) == len(set(logged))
    assert [seq for seq, _ in store.read_log()] == list(range(1, len(logged) + 1))
    for name in range(8):
        sent = [item for item in logged if item.startswith(f"{name}-")]
        state = await store.read(f"u{name}")
        assert state.behaviours.items.tolist() == item_keys(sent[::-1][:200]).tolist()
    store.close()


def freeze_before_writing(store: StateStore, server: RedisServer) -> None:
    """The next group is read from a server that then freezes, and sent to it while it is frozen."""
    transactions = store._transactions  # type: ignore[attr-defined]
    send = transactions._send

    def freezing(*arguments: Any) -> bytes:
        transactions._send = send
        server.freeze()
        return send(*arguments)

    transactions._send = freezing


async def test_a_group_whose_answer_was_lost_is_stored_once(redis_server: RedisServer) -> None:
    """Events without an event_id: the client sends the whole group again until it is answered."""
    settings = StateSettings(
        url=redis_server.url, redis=RedisSettings(read_timeout_s=10, write_timeout_s=0.1, write_tries=30)
    )
    store = open_state(settings)
    await store.append(batch(("u", "a", VIEW, 1)))
    freeze_before_writing(store, redis_server)
    appended = asyncio.create_task(store.append(batch(("u", "b", VIEW, 2))))
    await asyncio.sleep(0.8)
    assert not appended.done()
    redis_server.thaw()
    await appended
    assert (await store.read("u")).behaviours.ts.tolist() == [2, 1]
    assert [entry.item_id for _, entry in store.read_log()] == ["a", "b"]
    store.close()


async def test_a_write_that_arrives_too_late_is_not_acted_on(redis_server: RedisServer) -> None:
    store = open_state(impatient(redis_server, write_tries=1, write_timeout_s=0.1))
    await store.append(batch(("u", "before", VIEW, 1)))
    freeze_before_writing(store, redis_server)
    with pytest.raises(StorageUnavailable, match="cannot reach unix://"):
        await store.append(batch(("u", "refused", VIEW, 2)))
    # Longer than the write may take by its settings.
    await asyncio.sleep(0.8)
    redis_server.thaw()
    await until_stored(store, "after")
    assert [entry.item_id for _, entry in store.read_log()] == ["before", "after"]
    store.close()


async def test_reads_of_a_frozen_server_fail_in_time_and_then_at_once(redis_server: RedisServer) -> None:
    store = open_state(impatient(redis_server, read_pause_s=30))
    await store.append(batch(("u", "a", VIEW, 1)))
    assert len((await store.read("u")).behaviours.items) == 1
    redis_server.freeze()
    for _ in range(3):
        with pytest.raises(StorageUnavailable, match="cannot reach"):
            await store.read("u")
    with pytest.raises(StorageUnavailable, match="called again in a moment"):
        await store.read("u")
    status = store.status()
    assert (status.available, status.failed_reads) == (False, 4)
    redis_server.thaw()
    # A write that is answered ends the pause.
    await until_stored(store, "b")
    assert len((await store.read("u")).behaviours.items) == 2
    assert store.status().available
    store.close()


async def test_an_answer_that_came_too_late_is_not_taken_for_another(redis_server: RedisServer) -> None:
    store = open_state(impatient(redis_server, read_pause_s=0, max_connections=2))
    await store.append(batch(*[(f"u{n}", f"i{n}", VIEW, n) for n in range(20)]))
    redis_server.freeze()
    failed = await asyncio.gather(*[store.read(f"u{n}") for n in range(20)], return_exceptions=True)
    assert all(isinstance(error, StorageUnavailable) for error in failed)
    redis_server.thaw()
    for n in range(20):
        while True:
            try:
                state = await store.read(f"u{n}")
                break
            except StorageUnavailable:
                await asyncio.sleep(0.01)
        assert state.behaviours.ts.tolist() == [n]
    store.close()


async def test_the_queue_of_a_frozen_server_is_bounded(redis_server: RedisServer) -> None:
    settings = impatient(redis_server, write_tries=1).model_copy(
        update={"max_queued_events": 1_000, "max_queued_impressions": 100}
    )
    store = open_state(settings)
    redis_server.freeze()
    waiting = [
        asyncio.create_task(store.append(batch(*[("u", f"{part}-{n}", VIEW, n) for n in range(100)])))
        for part in range(30)
    ]
    for _ in range(20):
        await store.append_impressions("u", item_keys([f"i{n}" for n in range(10)]), 1)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    refused = [error for error in outcomes if isinstance(error, StateOverloaded)]
    failed = [error for error in outcomes if isinstance(error, StorageUnavailable)]
    assert len(refused) == 20
    assert len(refused) + len(failed) == 30
    assert store.status().dropped_impressions >= 100
    assert store.status().queued_events == 0
    redis_server.thaw()
    await until_stored(store, "after")
    assert [entry.item_id for _, entry in store.read_log()] == ["after"]
    store.close()


async def test_a_store_opens_without_its_server_and_finds_it_later(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.kill()
    with caplog.at_level(logging.INFO, "foundation.storage"):
        store = open_state(impatient(redis_server))
        assert not store.status().available
        with pytest.raises(StorageUnavailable):
            await store.read("u")
        with pytest.raises(StorageUnavailable):
            await store.append(batch(("u", "a", VIEW, 1)))
        with pytest.raises(StorageUnavailable):
            store.put_profiles({"u": {"city": "Lyon"}}, 1)
        await asyncio.to_thread(redis_server.start)
        await until_stored(store, "b")
    assert (await store.read("u")).behaviours.items.tolist() == item_keys(["b"]).tolist()
    assert caplog.text.count("does not answer") == 1
    assert caplog.text.count("answers again") == 1
    store.close()


@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
async def test_a_restart_between_two_requests_is_not_noticed(program: str) -> None:
    with running_redis(program=program) as server:
        store = open_state(patient(server))
        await store.append(batch(("u", "a", VIEW, 1)))
        await asyncio.gather(*[store.read("u") for _ in range(8)])
        server.kill()
        await asyncio.to_thread(server.start)
        states = await asyncio.gather(*[store.read("u") for _ in range(8)])
        assert all(len(state.behaviours.items) == 1 for state in states)
        await store.append(batch(("u", "b", VIEW, 2)))
        assert store.status().failed_reads == 0
        store.close()


async def test_a_foreign_value_under_a_users_key_is_named(redis_settings: StateSettings) -> None:
    import redis

    key = RedisKeys(redis_settings.redis.prefix).user(user_hash("u"))
    with redis.Redis.from_url(redis_settings.url) as client:
        client.set(key, "not a hash")
    store = open_state(redis_settings)
    with pytest.raises(StorageError, match=rf"{user_hash('u').hex()}.*another kind of value") as failure:
        await store.read("u")
    assert not isinstance(failure.value, StorageUnavailable)
    assert store.delete_user("u")
    state = await store.read("u")
    assert len(state.behaviours.items) == 0
    assert state.profile == EMPTY_STATE.profile
    store.close()


async def test_a_server_out_of_memory_stores_nothing_and_says_what_to_do(redis_server: RedisServer) -> None:
    store = open_state(patient(redis_server))
    await store.append(batch(("u", "a", VIEW, 1)))
    with redis_server.client() as client:
        client.config_set("maxmemory", "1mb")
        with pytest.raises(StorageUnavailable, match="raise its maxmemory"):
            await store.append(batch(("u", "b", VIEW, 2), ("v", "b", VIEW, 2)))
        client.config_set("maxmemory", "0")
    assert [entry.item_id for _, entry in store.read_log()] == ["a"]
    await store.append(batch(("u", "b", VIEW, 2)))
    store.close()


async def test_replicas_that_do_not_confirm_fail_the_write(redis_server: RedisServer) -> None:
    store = open_state(impatient(redis_server, replicas=1))
    with pytest.raises(StorageUnavailable, match="only 0 of 1 replicas"):
        await store.append(batch(("u", "a", VIEW, 1), event_ids=["1"]))
    # It is stored on the primary, so sending it again is a repeat there.
    assert len((await store.read("u")).behaviours.items) == 1
    store.close()


async def test_a_password_opens_the_store_and_is_never_shown(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "s3cret:/@")
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(StorageError, match="refuses the credentials"):
            open_state(impatient(redis_server, write_tries=1))
        wrong = redis_server.url.replace("unix://", "unix://:wr0ng@")
        with pytest.raises(StorageError) as refused:
            open_state(impatient(redis_server, write_tries=1).model_copy(update={"url": wrong}))
        monkeypatch.setenv(PASSWORD_VARIABLE, "s3cret:/@")
        store = open_state(patient(redis_server))
        await store.append(batch(("u", "a", VIEW, 1)))
        store.close()
    for text in (str(refused.value), repr(refused.value), caplog.text):
        assert "s3cret" not in text
        assert "wr0ng" not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:pw@h:1/0", "redis://:***@h:1/0"),
        ("rediss://me:p@w@h/1", "rediss://me:***@h/1"),
        ("unix://me:pw@/run/r.sock?db=1&password=pw", "unix://me:***@/run/r.sock?db=1&password=***"),
        ("redis://h/0?ssl_password=pw&ssl_ca_certs=/ca.pem", "redis://h/0?ssl_password=***&ssl_ca_certs=/ca.pem"),
        ("lmdb:///srv/state", "lmdb:///srv/state"),
        ("nothing", "nothing"),
    ],
)  # fmt: skip
def test_urls_are_shown_without_passwords(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_the_clients_url_takes_what_it_lacks_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert client_url("valkey://h:1/2", STATE_NAMES) == "redis://h:1/2"
    assert client_url("valkeys://u:p%40@[::1]:7/2?x=1", STATE_NAMES) == "rediss://u:p%40@[::1]:7/2?x=1"
    monkeypatch.setenv(PASSWORD_VARIABLE, "p@ss")
    assert client_url("unix:///run/r.sock?db=1", STATE_NAMES) == "unix://:p%40ss@/run/r.sock?db=1"
    assert client_url("redis://:own@h", STATE_NAMES) == "redis://:own@h"


@pytest.mark.parametrize(
    "url", ["redis://h:port/0", "redis:///0", "unix://me:pw@", "redis://:pw@h:99999999/0"]
)
def test_a_url_that_is_no_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StorageError, match=r"state\.url") as refused:
        open_state(StateSettings(url=url))
    assert "pw" not in str(refused.value)


def test_a_servers_promises_are_judged() -> None:
    assert durability_warnings({"appendonly": "yes", "appendfsync": "always"}) == []
    assert durability_warnings({}) == []
    (no_file,) = durability_warnings({"appendonly": "no", "appendfsync": "everysec"})
    assert "appendonly yes" in no_file
    lazily, evicting = durability_warnings(
        {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "allkeys-lru"}
    )
    assert "appendfsync always" in lazily
    assert "noeviction" in evicting


async def test_old_event_ids_expire(redis_settings: StateSettings) -> None:
    import redis

    store = open_state(redis_settings.model_copy(update={"deduplication_days": 2}))
    await store.append(batch(("u", "a", VIEW, 1), event_ids=["1"]))
    store.close()
    with redis.Redis.from_url(redis_settings.url) as client:
        left_s = client.ttl(RedisKeys(redis_settings.redis.prefix).seen(user_hash("u")))
    assert 2 * 86_400 < left_s <= 3 * 86_400
