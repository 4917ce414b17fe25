"""The store of rollouts: one of several processes wins, the history only grows, leases expire."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout import transitions
from rollout.errors import RolloutStoreError
from rollout.lmdb_store import LmdbRolloutStore
from rollout.record import ArmStatisticsRow
from rollout.registry import open_rollout_store
from tests.rollout.plans import started


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbRolloutStore]:
    """An empty store."""
    opened = LmdbRolloutStore(tmp_path / "rollouts")
    yield opened
    opened.close()


def test_of_two_changes_of_one_record_one_wins(store: LmdbRolloutStore) -> None:
    empty = store.read("bst")
    assert (empty.generation, empty.rollout) == (0, None)
    first, second = started(empty, id="a", actor="ann"), started(empty, id="b", actor="bob")
    assert store.compare_and_swap(first.record, first.entry)
    assert not store.compare_and_swap(second.record, second.entry)
    assert store.read("bst") == first.record
    assert [entry.rollout for _, entry in store.read_history("bst")] == ["a"]
    assert store.read("mind").generation == 0


def test_what_is_written_outlives_the_process(tmp_path: Path) -> None:
    first = LmdbRolloutStore(tmp_path / "r")
    change = started(first.read("bst"))
    first.compare_and_swap(change.record, change.entry)
    first.close()
    again = open_rollout_store(f"lmdb://{tmp_path}/r")
    assert again.read("bst") == change.record
    again.close()


def test_of_processes_that_start_at_once_one_wins_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.rollout.record_writer", str(folder), name, "60"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ann", "bob", "cid")
    ]
    told = [set(writer.communicate(timeout=60)[0].split()) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    store = LmdbRolloutStore(folder)
    history = store.read_history("bst", limit=1_000)
    record = store.read("bst")
    store.close()
    assert [number for number, _ in history] == list(range(1, record.generation + 1))
    assert [entry.generation for _, entry in history] == [number for number, _ in history]
    # Started and aborted in turns: never two at a time, and each told to exactly one.
    assert [entry.event for _, entry in history] == (["started", "aborted"] * len(history))[: len(history)]
    winners = [entry.rollout for _, entry in history if entry.event == "started"]
    assert sorted(winners) == sorted(id for each in told for id in each)
    assert len(winners) == len(set(winners))


def test_counts_are_replaced_by_replica_and_forgotten_by_rollout(store: LmdbRolloutStore) -> None:
    rows = [
        ArmStatisticsRow(replica, 1, "candidate", payload)
        for replica, payload in (("r1", b"1"), ("r2", b"2"))
    ]
    store.put_arm_statistics("one", rows)
    store.put_arm_statistics("one", [ArmStatisticsRow("r1", 1, "candidate", b"11")])
    store.put_arm_statistics("one-more", rows)
    assert sorted(row.payload for row in store.read_arm_statistics("one")) == [b"11", b"2"]
    store.drop_arm_statistics("one")
    assert store.read_arm_statistics("one") == []
    assert len(store.read_arm_statistics("one-more")) == 2


def test_a_lease_is_held_renewed_and_taken_over_when_it_expires(store: LmdbRolloutStore) -> None:
    first = store.hold_lease("leader", "r1", 0.0, 3.0)
    assert (first.holder, first.epoch) == ("r1", 1)
    assert store.hold_lease("leader", "r2", 2.9, 3.0) == first
    assert store.hold_lease("leader", "r1", 2.0, 3.0).epoch == 1
    taken = store.hold_lease("leader", "r2", 5.1, 3.0)
    assert (taken.holder, taken.epoch) == ("r2", 2)
    store.release_lease("leader", "r1")
    assert store.read_lease("leader") == taken
    store.release_lease("leader", "r2")
    assert store.hold_lease("leader", "r1", 5.2, 3.0).epoch == 4


def test_history_is_read_from_a_number_on(store: LmdbRolloutStore) -> None:
    change = started(store.read("bst"))
    for _ in range(5):
        assert store.compare_and_swap(change.record, change.entry)
        change = transitions.take_lead(change.record, 1, "r1", 1.0)
    assert [number for number, _ in store.read_history("bst", after=2, limit=2)] == [3, 4]
    assert store.read_history("bst", after=5) == []
    assert store.read_history("bs", limit=5) == []


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RolloutStoreError, match=r"file"):
        LmdbRolloutStore(tmp_path / "file")
    with pytest.raises(RolloutStoreError, match="known schemes"):
        open_rollout_store("http://x")
