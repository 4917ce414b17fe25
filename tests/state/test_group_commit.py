import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from state import StateOverloaded, StateSettings, open_state
from state.errors import QueueFull
from state.group_commit import GroupCommit
from state.store import StateStore
from tests.state.batches import batch

Started = Callable[..., GroupCommit[str, str, str]]


class Disk:
    """Records the groups it is given; waits before each until `open`; refuses those with "bad"."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.groups: list[tuple[list[str], list[str]]] = []

    def commit(self, batches: list[str], notes: list[str]) -> list[str]:
        self.begun.set()
        self.open.wait(30)
        if "bad" in batches or "bad" in notes:
            raise ValueError("bad")
        self.groups.append((batches, notes))
        return [f"stored {name}" for name in batches]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def start(disk: Disk) -> Iterator[Started]:
    writers: list[GroupCommit[str, str, str]] = []

    def starter(**changes: float) -> GroupCommit[str, str, str]:
        limits = {"max_queued": 10, "max_group": 5, "max_notes": 5, "notes_wait_s": 0.01, **changes}
        writers.append(GroupCommit(disk.commit, lambda: None, **limits))
        return writers[-1]

    yield starter
    disk.open.set()
    for writer in writers:
        writer.close()


async def queued(writer: GroupCommit[str, str, str], *batches: str) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(writer.submit(name, 1)) for name in batches]
    await asyncio.sleep(0)
    return tasks


async def busy(writer: GroupCommit[str, str, str], disk: Disk) -> list[asyncio.Task[str]]:
    """The writer waits inside a commit of the batch "first"."""
    first = await queued(writer, "first")
    await asyncio.to_thread(disk.begun.wait, 30)
    return first


async def test_what_gathers_during_a_commit_is_one_group(disk: Disk, start: Started) -> None:
    writer = start()
    tasks = await busy(writer, disk)
    tasks += await queued(writer, "a", "b", "c")
    disk.open.set()
    assert await asyncio.gather(*tasks) == ["stored first", "stored a", "stored b", "stored c"]
    assert [group for group, _ in disk.groups] == [["first"], ["a", "b", "c"]]
    assert (writer.queued, writer.groups) == (0, 2)


async def test_a_group_has_a_greatest_size(disk: Disk, start: Started) -> None:
    writer = start(max_group=2)
    tasks = await busy(writer, disk)
    tasks += await queued(writer, "a", "b", "c")
    disk.open.set()
    await asyncio.gather(*tasks)
    assert [group for group, _ in disk.groups] == [["first"], ["a", "b"], ["c"]]


async def test_a_full_queue_refuses_and_recovers(disk: Disk, start: Started) -> None:
    writer = start(max_queued=3)
    tasks = await busy(writer, disk)
    tasks += await queued(writer, "a", "b")
    with pytest.raises(QueueFull):
        await writer.submit("c", 1)
    disk.open.set()
    await asyncio.gather(*tasks)
    await writer.submit("c", 1)
    assert disk.groups[-1][0] == ["c"]


async def test_a_batch_larger_than_the_queue_goes_alone(disk: Disk, start: Started) -> None:
    writer = start(max_queued=3)
    disk.open.set()
    await writer.submit("large", 100)
    assert disk.groups == [(["large"], [])]


async def test_one_bad_batch_does_not_fail_its_group(disk: Disk, start: Started) -> None:
    writer = start()
    tasks = await busy(writer, disk)
    tasks += await queued(writer, "a", "bad", "b")
    writer.note("note", 1)
    writer.note("bad", 1)
    disk.open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [*results[:2], results[3]] == ["stored first", "stored a", "stored b"]
    assert isinstance(results[2], ValueError)
    assert [group for group, _ in disk.groups if group] == [["first"], ["a"], ["b"]]
    assert [notes for _, notes in disk.groups if notes] == [["note"]]
    assert (writer.dropped_notes, writer.queued, writer.queued_notes) == (1, 0, 0)


async def test_a_cancelled_batch_is_not_written_and_frees_its_room(disk: Disk, start: Started) -> None:
    writer = start()
    tasks = await busy(writer, disk)
    (cancelled,) = await queued(writer, "cancelled")
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    disk.open.set()
    await asyncio.gather(*tasks)
    await writer.submit("next", 1)
    assert [group for group, _ in disk.groups] == [["first"], ["next"]]
    assert writer.queued == 0


async def test_a_batch_cancelled_during_its_commit_does_not_stop_the_writer(
    disk: Disk, start: Started
) -> None:
    writer = start()
    (first,) = await busy(writer, disk)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    disk.open.set()
    await writer.submit("next", 1)
    assert [group for group, _ in disk.groups] == [["first"], ["next"]]


def test_a_loop_that_ended_does_not_stop_the_writer(disk: Disk, start: Started) -> None:
    writer = start()

    async def leave() -> None:
        await busy(writer, disk)

    asyncio.run(leave())
    disk.open.set()
    asyncio.run(writer.submit("next", 1))
    assert disk.groups[-1][0] == ["next"]


async def test_notes_are_written_without_a_batch_and_dropped_where_there_is_no_room(
    disk: Disk, start: Started
) -> None:
    writer = start()
    tasks = await busy(writer, disk)
    for name in "abcdefg":
        writer.note(name, 1)
    assert (writer.queued_notes, writer.dropped_notes) == (5, 2)
    disk.open.set()
    await asyncio.gather(*tasks)
    writer.close()
    assert [name for _, notes in disk.groups for name in notes] == list("abcde")
    writer.note("late", 1)
    assert writer.dropped_notes == 3


async def test_the_idle_work_is_called_again_after_it_failed(disk: Disk) -> None:
    calls = 0
    again = threading.Event()

    def idle() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("once")
        again.set()

    writer: GroupCommit[str, str, str] = GroupCommit(
        disk.commit, idle, max_queued=1, max_group=1, max_notes=1, notes_wait_s=1, idle_s=0.01
    )
    assert await asyncio.to_thread(again.wait, 30)
    writer.close()


async def test_an_overloaded_store_says_when_to_retry(
    store: StateStore, settings: StateSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise QueueFull(20_000)

    monkeypatch.setattr(GroupCommit, "submit", full)
    with pytest.raises(StateOverloaded, match="20000 of at most 20000") as refused:
        await store.append(batch(("u", "a", 2, 1)))
    assert refused.value.retry_after_s == settings.retry_after_s


async def test_many_writers_share_transactions(store: StateStore) -> None:
    await asyncio.gather(*[store.append(batch((f"u{n}", "a", 2, 1))) for n in range(200)])
    assert all(
        len(state.behaviours.items) == 1 for state in await store.read_many([f"u{n}" for n in range(200)])
    )
    assert store.status().write_groups < 200


async def test_a_store_opened_from_another_loop_works(settings: StateSettings) -> None:
    store = open_state(settings)
    await asyncio.to_thread(lambda: asyncio.run(store.append(batch(("u", "a", 2, 1)))))
    await store.append(batch(("u", "b", 2, 2)))
    assert len((await store.read("u")).behaviours.items) == 2
    store.close()
