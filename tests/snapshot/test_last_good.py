"""Where the published snapshot is damaged the newest intact one is opened, never a damaged one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from snapshot.last_good import intact_folders, open_usable
from snapshot.manifest import SnapshotError
from snapshot.store import SnapshotStore
from tests.snapshot.contents import sealed


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    moments = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in range(1000))
    return SnapshotStore(tmp_path / "snapshots", clock=lambda: next(moments))


def flip(store: SnapshotStore, id: str) -> None:
    """Flips a byte, which no size shows."""
    file = store.root / id / "catalogue/price.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)


def test_the_published_one_is_opened_where_it_is_intact(store: SnapshotStore) -> None:
    first, _ = sealed(store, ["a"]), sealed(store, ["b"])
    store.publish(first)
    usable = open_usable(store)
    assert (usable.opened.manifest.id, usable.damage) == (first, None)


def test_the_newest_intact_one_takes_the_place_of_a_damaged_one(store: SnapshotStore) -> None:
    oldest, older, old, current = (sealed(store, [name]) for name in "abcd")
    store.publish(current)
    flip(store, current)
    flip(store, old)
    usable = open_usable(store)
    assert usable.opened.manifest.id == older
    assert usable.damage is not None
    assert (usable.damage.folder.name, usable.damage.file) == (current, "catalogue/price.npy")
    assert [each.manifest.id for each in intact_folders(store)] == [older, oldest]


def test_where_none_is_intact_the_damage_of_the_published_one_is_told(store: SnapshotStore) -> None:
    with pytest.raises(SnapshotError, match="nothing is published; `shopfront build` makes a snapshot"):
        open_usable(store)
    ids = [sealed(store, [name]) for name in "ab"]
    store.publish(ids[0])
    for id in ids:
        flip(store, id)
    with pytest.raises(SnapshotError, match="checksum") as failure:
        open_usable(store)
    assert failure.value.folder.name == ids[0]
