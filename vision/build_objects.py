"""The layers that find things in photos, fitted once for an encoder and kept for the builds that follow."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from recall.object_head import ObjectHead
from snapshot.durable_files import sync_file, sync_folder
from vision.build_pictures import Progress
from vision.decode import PictureRefused, decode
from vision.encoder import MapEncoder
from vision.fit_object_head import fit_object_head
from vision.item_files import item_pictures
from vision.settings import PictureSettings

_PICTURES = 512
"""Items whose pictures the scenes are made of, at most."""
_LARGEST = 256
"""Pixels of a picture's longer side in a scene, which bounds the memory they take together."""
_VERSION = "scenes-1"
"""Changes with how scenes are made, so that layers of others are not kept."""


def object_head(
    items: pl.DataFrame,
    data: Path | None,
    folder: Path,
    encoder: MapEncoder,
    settings: PictureSettings,
    seed: int,
    progress: Progress,
) -> ObjectHead | None:
    """The layers in `folder`, which are fitted where there are none for this encoder and these settings.

    What they learn is where a thing ends, not what it is, so they stay when goods come and go; a shop that
    has twice as many items with pictures, up to 512, gets new ones.

    Args:
        items: item int32 (1…N), `image`.
        data: the folder that paths in `image` start at; None where there is none.
        folder: keeps them; it is created.
        encoder: makes maps of scenes.
        settings: how many scenes, and of what pictures.
        seed: of the drawing, the scenes and the training.
        progress: told how far it is.

    Returns:
        None where the settings want no scenes, or too few pictures can be used.
    """
    pictured = items.filter(pl.col("image").is_not_null())
    count = min(pictured.height, _PICTURES)
    if not settings.object_scenes or not count:
        return None
    wanted = f"{settings.object_scenes} {settings.object_steps} {seed} {count.bit_length()}"
    said = f"{_VERSION} {encoder.name} {wanted}"
    kept = folder / hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    if kept.is_dir():
        return ObjectHead.open(kept)
    drawn = np.sort(np.random.default_rng(seed).permutation(pictured.height)[:count])
    head = fit_object_head(
        _usable(pictured[drawn], data, settings),
        encoder.maps,
        encoder.side,
        settings.object_scenes,
        settings.batch,
        seed,
        lambda done, scenes: progress("scenes", done, scenes),
        settings.object_steps,
    )
    if head is not None:
        _keep(head, folder, kept)
    return head


def _usable(items: pl.DataFrame, data: Path | None, settings: PictureSettings) -> list[Image.Image]:
    """The first pictures of items, those that cannot be used left out: their encoding counts them."""
    usable: list[Image.Image] = []
    for picture in item_pictures(items, data, 1, settings.limits):
        if picture.missing:
            continue
        try:
            image = decode(picture.content, settings.limits, _LARGEST)
        except PictureRefused:
            continue
        image.thumbnail((_LARGEST, _LARGEST))
        usable.append(image)
    return usable


def _keep(head: ObjectHead, folder: Path, name: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=folder))
    try:
        head.save(staged)
        for file in staged.iterdir():
            sync_file(file)
        os.rename(staged, name)
        sync_folder(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
