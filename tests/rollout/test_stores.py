"""Every rollout store: one behaviour, whatever holds the records."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from foundation.storage.settings import RedisSettings
from rollout.errors import RolloutStoreError
from rollout.lmdb_store import LmdbRolloutStore
from rollout.record import ArmStatisticsRow, HistoryEntry, Lease, ModelRecord, Promotion
from rollout.redis_store import RedisRolloutStore
from rollout.registry import open_rollout_store
from rollout.store import RolloutStore
from testing.redis_server import RedisServer, running_redis

_prefixes = count()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as started:
        yield started


@pytest.fixture(params=["lmdb", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RolloutStore]:
    opened: RolloutStore
    if request.param == "lmdb":
        opened = LmdbRolloutStore(tmp_path / "rollouts")
    else:
        server = request.getfixturevalue("server")
        settings = RedisSettings(prefix=f"rollouts-{next(_prefixes)}", write_timeout_s=10)
        opened = RedisRolloutStore(server.url, settings)
    yield opened
    opened.close()


def entry(generation: int, event: str = "advanced", model: str = "bst") -> HistoryEntry:
    return HistoryEntry(1_700_000_000.5, model, "r1", generation, event, "op", "running", 0, 100, "é")


def record(generation: int, model: str = "bst") -> ModelRecord:
    return ModelRecord(model, generation, epoch=3, promotion=Promotion(generation, "d1", 1, "r1", 5.25))


def test_a_model_never_written_has_generation_zero(store: RolloutStore) -> None:
    assert store.read("bst") == ModelRecord("bst")
    assert store.read_history("bst") == []
    assert store.read_lease("lead") is None
    assert store.read_arm_statistics("r1") == []


def test_a_record_and_its_history_change_together_or_not_at_all(store: RolloutStore) -> None:
    assert store.compare_and_swap(record(1), entry(1))
    assert store.compare_and_swap(record(2), entry(2))
    assert not store.compare_and_swap(record(2), entry(2, "lost"))
    assert not store.compare_and_swap(record(4), entry(4, "too early"))
    assert store.compare_and_swap(record(1, "mind"), entry(1, model="mind"))
    assert store.read("bst") == record(2)
    assert store.read("mind") == record(1, "mind")
    assert store.read_history("bst") == [(1, entry(1)), (2, entry(2))]
    assert store.read_history("bst", after=1) == [(2, entry(2))]
    assert store.read_history("bst", limit=1) == [(1, entry(1))]
    assert store.read_history("bst", limit=0) == []


def test_of_two_who_act_at_once_one_wins(store: RolloutStore) -> None:
    for generation in range(1, 11):
        won: list[bool] = []
        threads = [
            threading.Thread(
                target=lambda generation=generation, won=won: won.append(
                    store.compare_and_swap(record(generation), entry(generation))
                )
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, False, False, True]
    assert [number for number, _ in store.read_history("bst")] == list(range(1, 11))


def test_a_lease_has_one_holder_until_it_expires(store: RolloutStore) -> None:
    assert store.hold_lease("lead", "a", 100.0, 5.0) == Lease("a", 1, 105.0)
    assert store.hold_lease("lead", "b", 104.999, 5.0) == Lease("a", 1, 105.0)
    assert store.hold_lease("lead", "a", 104.0, 5.5) == Lease("a", 1, 109.5)
    assert store.hold_lease("lead", "b", 109.5, 5.0) == Lease("b", 2, 114.5)
    assert store.read_lease("lead") == Lease("b", 2, 114.5)
    assert store.read_lease("other") is None


def test_a_released_lease_is_free_and_its_epoch_never_comes_back(store: RolloutStore) -> None:
    store.release_lease("lead", "nobody")
    assert store.hold_lease("lead", "a", 100.0, 50.0).epoch == 1
    store.release_lease("lead", "b")
    assert store.hold_lease("lead", "b", 101.0, 50.0).holder == "a"
    store.release_lease("lead", "a")
    taken = store.hold_lease("lead", "b", 102.0, 50.0)
    assert taken.holder == "b"
    assert taken.epoch > 1


def test_counts_of_replicas_are_replaced_each_and_dropped_together(store: RolloutStore) -> None:
    first = ArmStatisticsRow("replica-1", 0, "candidate", b"\x00\xff")
    second = ArmStatisticsRow("replica-2", 0, "candidate", b"2")
    store.put_arm_statistics("r1", [first, second])
    store.put_arm_statistics("r1", [])
    newer = msgspec.structs.replace(first, payload=b"newer")
    later = msgspec.structs.replace(first, stage=1)
    store.put_arm_statistics("r1", [newer, later])
    store.put_arm_statistics("r2", [first])

    def order(row: ArmStatisticsRow) -> tuple[int, str]:
        return row.stage, row.replica

    assert sorted(store.read_arm_statistics("r1"), key=order) == [newer, second, later]
    store.drop_arm_statistics("r1")
    store.drop_arm_statistics("r1")
    assert store.read_arm_statistics("r1") == []
    assert store.read_arm_statistics("r2") == [first]


@pytest.mark.slow
def test_a_swap_whose_answer_was_lost_is_still_won() -> None:
    with running_redis() as server:
        store = RedisRolloutStore(server.url, RedisSettings(write_timeout_s=0.2, write_tries=30))
        assert store.compare_and_swap(record(1), entry(1))
        server.freeze()
        thaw = threading.Timer(0.7, server.thaw)
        thaw.start()
        # Sent several times; the server finds them all when it goes on.
        assert store.compare_and_swap(record(2), entry(2))
        thaw.join()
        assert [number for number, _ in store.read_history("bst")] == [1, 2]
        store.close()


@pytest.mark.slow
def test_records_survive_a_killed_server_and_its_absence_is_an_error() -> None:
    with running_redis() as server:
        store = RedisRolloutStore(server.url, RedisSettings(write_tries=1))
        assert store.compare_and_swap(record(1), entry(1))
        server.kill()
        with pytest.raises(RolloutStoreError, match="cannot reach unix://"):
            store.read("bst")
        server.start()
        assert store.read("bst") == record(1)
        assert store.read_history("bst") == [(1, entry(1))]
        store.close()


def test_a_corrupt_record_in_redis_is_an_error_that_names_the_place(server: RedisServer) -> None:
    store = RedisRolloutStore(server.url, RedisSettings(prefix="spoilt", write_timeout_s=10))
    assert store.compare_and_swap(record(1), entry(1))
    with server.client() as client:
        client.hset("{spoilt}:rollout:record:bst", "record", b"{")
    with pytest.raises(RolloutStoreError, match=r"\{spoilt\}:rollout in unix://.*corrupt"):
        store.read("bst")
    store.close()


def test_a_url_that_is_no_address_is_refused() -> None:
    with pytest.raises(RolloutStoreError, match="no address"):
        RedisRolloutStore("redis://h:port", RedisSettings())


def test_a_url_chooses_the_store(server: RedisServer, tmp_path: Path) -> None:
    for url, kind in ((f"lmdb://{tmp_path}/r", LmdbRolloutStore), (server.url, RedisRolloutStore)):
        opened = open_rollout_store(url, RedisSettings(prefix="by-url"))
        assert isinstance(opened, kind)
        assert opened.read("bst") == ModelRecord("bst")
        opened.close()
    with pytest.raises(RolloutStoreError, match="known schemes are lmdb://, redis://") as refused:
        open_rollout_store("etcd://me:secret@host")
    assert "secret" not in str(refused.value)
