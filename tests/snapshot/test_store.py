import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from snapshot import Manifest, SnapshotError, SnapshotStore, link_catalogue
from snapshot.manifest import SCHEMA_VERSION
from tests.snapshot.contents import sealed, write_items

MANIFEST = Manifest(kind="snapshot", source="test", dataset="d1", models={"bst": 3})


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    moments = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in range(1000))
    return SnapshotStore(tmp_path / "snapshots", clock=lambda: next(moments))


def test_what_is_sealed_opens_with_all_it_was_given(store: SnapshotStore) -> None:
    id = sealed(store, ["a", "b"], MANIFEST)
    snapshot = store.open(id)
    assert snapshot.path == store.root / id
    assert snapshot.manifest.id == id
    assert snapshot.manifest.created_at == "2024-01-01T00:00:00.000000+00:00"
    assert id.startswith("20240101T000000Z-")
    assert (snapshot.manifest.dataset, snapshot.manifest.models) == ("d1", {"bst": 3})
    assert "catalogue/price.npy" in snapshot.manifest.files
    assert snapshot.catalogue.item_ids(np.array([1, 2])) == ["a", "b"]


def test_nothing_is_visible_before_the_seal(store: SnapshotStore) -> None:
    staged = store.stage()
    write_items(staged, ["a"])
    assert store.ids() == []
    id = store.seal(staged, MANIFEST)
    assert store.ids() == [id]
    assert not staged.exists()


def test_a_discarded_folder_is_gone_and_discarding_again_does_nothing(store: SnapshotStore) -> None:
    staged = store.stage()
    write_items(staged, ["a"])
    store.discard(staged)
    store.discard(staged)
    assert list(store.root.iterdir()) == []


def test_sealed_files_are_read_only_and_the_owner_s(store: SnapshotStore) -> None:
    path = store.root / sealed(store, ["a"])
    files = [file for file in path.rglob("*") if file.is_file() and file.name != "manifest.json"]
    assert files
    assert {file.stat().st_mode & 0o777 for file in files} == {0o400}


def test_equal_content_of_one_moment_gets_two_ids(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
    first, second = sealed(store, ["a"]), sealed(store, ["a"])
    assert second == f"{first}-2"
    assert store.open(second).manifest.id == second


def test_a_chosen_id_is_used_once(store: SnapshotStore) -> None:
    chosen = Manifest(kind="snapshot", id="spring")
    assert sealed(store, ["a"], chosen) == "spring"
    with pytest.raises(SnapshotError, match=r"spring: manifest: the id is taken"):
        sealed(store, ["b"], chosen)
    assert store.open("spring").catalogue.dense(["a"]).tolist() == [1]


@pytest.mark.parametrize("id", ["..", ".hidden", "a/b", "current", "x" * 200])
def test_ids_that_are_no_plain_names_are_refused(store: SnapshotStore, id: str) -> None:
    with pytest.raises(SnapshotError):
        sealed(store, ["a"], Manifest(kind="snapshot", id=id))
    with pytest.raises(SnapshotError):
        store.open(id)


def test_a_manifest_of_another_kind_is_refused(store: SnapshotStore) -> None:
    with pytest.raises(SnapshotError, match="'dataset'"):
        sealed(store, ["a"], Manifest(kind="dataset"))


def test_a_link_in_a_staged_folder_is_refused(store: SnapshotStore) -> None:
    staged = store.stage()
    write_items(staged, ["a"])
    (staged / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(SnapshotError, match="passwords"):
        store.seal(staged, MANIFEST)


def test_publish_moves_current_and_only_forward_to_whole_folders(store: SnapshotStore) -> None:
    assert store.current_id() is None
    with pytest.raises(SnapshotError, match="nothing is published"):
        store.open_current()
    first, second = sealed(store, ["a"]), sealed(store, ["b"])
    store.publish(first)
    assert store.current_id() == first
    (store.root / second / "catalogue/price.npy").unlink()
    with pytest.raises(SnapshotError, match=r"price\.npy"):
        store.publish(second)
    assert store.open_current().manifest.id == first
    assert os.readlink(store.root / "current") == first


def test_a_current_that_is_no_link_is_named(store: SnapshotStore) -> None:
    id = sealed(store, ["a"])
    (store.root / "current").mkdir()
    with pytest.raises(SnapshotError, match="current: is no link"):
        store.open_current()
    assert store.open(id).manifest.id == id


def test_prune_spares_the_current_and_the_newest(store: SnapshotStore) -> None:
    ids = [sealed(store, [name]) for name in "abcd"]
    store.publish(ids[0])
    held = store.open(ids[1])
    assert store.prune(keep=1) == [ids[1], ids[2]]
    assert store.ids() == [ids[0], ids[3]]
    assert store.open_current().manifest.id == ids[0]
    assert held.catalogue.item_ids(np.array([1])) == ["b"]
    assert sorted(path.name for path in store.root.iterdir()) == sorted([ids[0], ids[3], "current"])
    with pytest.raises(ValueError, match="-1"):
        store.prune(keep=-1)


def test_prune_removes_what_a_crashed_writer_left_but_not_a_living_one_s(store: SnapshotStore) -> None:
    living = store.stage()
    program = "import sys; from pathlib import Path; from snapshot import SnapshotStore as Store; "
    program += "Store(Path(sys.argv[1])).stage()"
    subprocess.run([sys.executable, "-c", program, str(store.root)], check=True)
    assert len(list(store.root.iterdir())) == 2
    store.prune(keep=0)
    assert list(store.root.iterdir()) == [living]


def test_damaged_folders_are_removed_and_named_but_not_the_current_or_a_newer_release_s(
    store: SnapshotStore,
) -> None:
    intact, torn, short, newer, current = (sealed(store, [name]) for name in "abcde")
    store.publish(current)
    (store.root / torn / "manifest.json").write_text('{"kind": "snap')
    _truncate(store.root / short / "catalogue/price.npy")
    _rewrite(store.root / newer / "manifest.json", schema_version=SCHEMA_VERSION + 1)
    _truncate(store.root / current / "catalogue/price.npy")
    damaged = store.remove_damaged()
    assert set(damaged) == {torn, short}
    assert damaged[short].file == "catalogue/price.npy"
    assert set(store.ids()) == {intact, newer, current}
    assert store.remove_damaged() == {}


def _truncate(file: Path) -> None:
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-1])


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink()
    file.write_bytes(content)


@pytest.mark.parametrize(
    "file", ["catalogue/price.npy", "catalogue/item_id.utf8.npy", "catalogue/catalogue.json"]
)
@pytest.mark.parametrize(
    ("damage", "fault", "seen_by_size"),
    [(_truncate, "bytes instead of", True), (_flip, "checksum", False), (Path.unlink, "No such file", True)],
)
def test_damaged_files_are_named(
    store: SnapshotStore, file: str, damage, fault: str, seen_by_size: bool
) -> None:
    id = sealed(store, ["a", "b"])
    damage(store.root / id / file)
    with pytest.raises(SnapshotError) as failure:
        store.open(id)
    assert (failure.value.folder, failure.value.file) == (store.root / id, file)
    assert fault in failure.value.fault
    assert "build it again" in str(failure.value)
    if seen_by_size:
        with pytest.raises(SnapshotError):
            store.open(id, verify=False)


def _rewrite(path: Path, **changes: object) -> None:
    manifest = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(manifest | changes))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (Path.unlink, "cannot be read"),
        (lambda path: path.write_bytes(b'{"kind": "snap'), "not a valid manifest"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not a valid manifest"),
        (lambda path: path.write_bytes(b"{}"), "schema_version"),
        (lambda path: _rewrite(path, kind="sausage"), "sausage"),
        (lambda path: _rewrite(path, kind="dataset"), "is a dataset"),
        (lambda path: _rewrite(path, id="other"), "belongs to 'other'"),
        (lambda path: _rewrite(path, schema_version=SCHEMA_VERSION + 1), "newer release"),
        (lambda path: _rewrite(path, files={"../../etc/passwd": {"bytes": 1, "sha256": ""}}), "outside"),
    ],
)
def test_damaged_manifests_are_refused(store: SnapshotStore, damage, fault: str) -> None:
    id = sealed(store, ["a"])
    damage(store.root / id / "manifest.json")
    with pytest.raises(SnapshotError, match=fault) as failure:
        store.open(id)
    assert failure.value.folder == store.root / id


def test_an_absent_folder_is_named(store: SnapshotStore) -> None:
    with pytest.raises(SnapshotError, match=r"20300101: .*does not exist"):
        store.open("20300101")


def test_a_catalogue_is_handed_on_without_a_copy(store: SnapshotStore, tmp_path: Path) -> None:
    source = store.open(sealed(store, ["a", "b"]))
    staged = store.stage()
    link_catalogue(source.path, staged)
    target = store.open(store.seal(staged, MANIFEST))
    assert target.catalogue.item_ids(np.array([2])) == ["b"]
    assert (source.path / "catalogue/keys.npy").samefile(target.path / "catalogue/keys.npy")
    with pytest.raises(FileExistsError):
        link_catalogue(source.path, target.path)


def test_a_catalogue_is_copied_where_links_are_impossible(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_device(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    source = store.open(sealed(store, ["a"]))
    monkeypatch.setattr(os, "link", other_device)
    staged = store.stage()
    link_catalogue(source.path, staged)
    assert not (source.path / "catalogue/keys.npy").samefile(staged / "catalogue/keys.npy")
    assert store.open(store.seal(staged, MANIFEST)).catalogue.dense(["a"]).tolist() == [1]


def test_errors_travel_between_processes() -> None:
    import pickle

    error = SnapshotError(Path("/s"), "f", "is torn", "build it again")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "/s: f: is torn; build it again"  # noqa: S301
