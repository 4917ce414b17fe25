"""Removes old builds of a workspace: what is damaged first, then all but the newest."""

import shutil
from collections.abc import Iterator
from contextlib import suppress

from models.contracts import contracts
from shopfront import picture_step
from shopfront.deleted_shoppers import remove_with_deleted
from shopfront.progress import Progress
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore
from snapshot.manifest import Manifest, NewerFormatError, read_manifest
from snapshot.store import SnapshotStore
from snapshot.tombstones import Tombstones
from triton_repo.repository import ModelRepository


def prune(
    workspace: Workspace, keep: int, repository: ModelRepository, tombstones: Tombstones, progress: Progress
) -> None:
    """Keeps the newest `keep` builds, and none that contains a deleted shopper.

    What was removed is reported to `progress`; what cannot be removed is named there and never ends the run.
    """
    try:
        _remove_old(workspace, keep, repository, progress)
        for removed in remove_with_deleted(workspace, tombstones):
            progress.removed(removed, "it contained shoppers who were deleted")
    except OSError as error:
        progress.not_removed(str(error))


def _remove_old(workspace: Workspace, keep: int, repository: ModelRepository, progress: Progress) -> None:
    snapshots, datasets = SnapshotStore(workspace.snapshots), DatasetStore(workspace.datasets)
    for store in (snapshots, datasets):
        for id, damage in store.remove_damaged().items():
            progress.removed(f"{store.kind} {id}", f"{damage.file}: {damage.fault}")
        store.prune(keep)
    kept = list(_readable_manifests(snapshots))
    for old in sorted(workspace.rankers.glob("*"))[:-keep]:
        shutil.rmtree(old)
    picture_step.remove_old(workspace, keep)
    for model in contracts():
        needed = (manifest.models.get(model) for manifest in kept)
        repository.prune(model, keep, frozenset(version for version in needed if version is not None))
        # Names begin with the time of training.
        checkpoints = (workspace.checkpoints / model).glob("*")
        for old in sorted(path for path in checkpoints if path.is_dir())[:-keep]:
            shutil.rmtree(old)


def _readable_manifests(snapshots: SnapshotStore) -> Iterator[Manifest]:
    for id in snapshots.ids():
        # One of a newer release stays, and its models with the newest versions.
        with suppress(NewerFormatError):
            yield read_manifest(snapshots.root / id)
