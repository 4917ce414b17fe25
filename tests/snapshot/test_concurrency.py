import threading
from pathlib import Path

import numpy as np
import pytest

from snapshot import SnapshotError, SnapshotStore
from tests.snapshot.contents import sealed


@pytest.mark.slow
def test_readers_always_see_a_whole_snapshot_while_a_writer_publishes_and_prunes(tmp_path: Path) -> None:
    """Each snapshot has 40 items named after its round, so a mixture would show."""
    store = SnapshotStore(tmp_path)
    store.publish(sealed(store, [f"r0-{i}" for i in range(40)]))
    done = threading.Event()
    news = threading.Condition()
    failures: list[BaseException] = []
    seen: set[str] = set()

    def read() -> None:
        reader = SnapshotStore(tmp_path)
        try:
            while not done.is_set():
                snapshot = reader.open_current()
                rounds = {item.split("-")[0] for item in snapshot.catalogue.item_ids(np.arange(1, 41))}
                assert len(rounds) == 1
                with news:
                    seen.update(rounds)
                    news.notify_all()
        except BaseException as error:
            with news:
                failures.append(error)
                news.notify_all()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for turn in range(1, 9):
            store.publish(sealed(store, [f"r{turn}-{i}" for i in range(40)]))
            store.prune(keep=1)
            # The readers are at work on this round when the next one replaces and removes it.
            with news:
                news.wait_for(lambda name=f"r{turn}": name in seen or failures, timeout=60)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert {f"r{turn}" for turn in range(1, 9)} <= seen


def test_open_current_gives_up_on_a_corrupt_snapshot(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    id = sealed(store, ["a"])
    store.publish(id)
    (tmp_path / id / "manifest.json").unlink()
    with pytest.raises(SnapshotError, match=r"manifest\.json"):
        store.open_current()


def test_writers_sealing_at_once_get_different_ids(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    ids: list[str] = []
    writers = [threading.Thread(target=lambda: ids.append(sealed(store, ["a"]))) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(set(ids)) == 6
    assert sorted(ids) == sorted(store.ids())
