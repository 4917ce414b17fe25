"""What builds owe shoppers that were deleted: who they are, and the older builds that still contain them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shopfront.workspace import Workspace
from snapshot.dataset import USERS_NAME, DatasetStore
from snapshot.manifest import SnapshotError, read_manifest
from snapshot.store import SnapshotStore
from snapshot.tombstones import NO_TOMBSTONES, Tombstones
from state.registry import open_state
from state.settings import StateSettings

_LMDB = "lmdb://"


def read_tombstones(settings: StateSettings) -> Tombstones:
    """The shoppers that were deleted. Raises StorageError where the store does not say.

    A store in LMDB that does not exist yet is not made.
    """
    if settings.url.startswith(_LMDB) and not (Path(settings.url.removeprefix(_LMDB)) / "data.mdb").exists():
        return NO_TOMBSTONES
    store = open_state(settings)
    try:
        return store.tombstones()
    finally:
        store.close()


def data_sets_with_deleted(workspace: Workspace, tombstones: Tombstones) -> Iterator[str]:
    """Ids of the data sets that contain a shopper who was deleted later; polars is imported where any may."""
    store = DatasetStore(workspace.datasets)
    for id in store.ids():
        if _is_older(store.root / id, tombstones) and _has_deleted(store.root / id, tombstones):
            yield id


def remove_with_deleted(workspace: Workspace, tombstones: Tombstones) -> list[str]:
    """Removes data sets with deleted shoppers, and the snapshots made from them, but for the published ones.

    Returns "data set <id>" or "snapshot <id>" of each. Raises OSError where one cannot be removed.
    """
    datasets, snapshots = DatasetStore(workspace.datasets), SnapshotStore(workspace.snapshots)
    outdated = set(data_sets_with_deleted(workspace, tombstones))
    made_from = {
        id for id in snapshots.ids() if outdated and _dataset_of(snapshots.root / id) in outdated
    } - {snapshots.current_id()}
    outdated -= {datasets.current_id()}
    snapshots.remove(made_from)
    datasets.remove(outdated)
    return [*(f"snapshot {id}" for id in sorted(made_from)), *(f"data set {id}" for id in sorted(outdated))]


def _is_older(folder: Path, tombstones: Tombstones) -> bool:
    try:
        return read_manifest(folder).tombstones < tombstones.revision
    except SnapshotError:
        return False


def _dataset_of(folder: Path) -> str:
    try:
        return read_manifest(folder).dataset
    except SnapshotError:
        return ""


def _has_deleted(folder: Path, tombstones: Tombstones) -> bool:
    import polars as pl

    ids = pl.read_parquet(folder / USERS_NAME, columns=["user_id"])["user_id"]
    return bool((tombstones.of_each(ids) >= 0).any())
