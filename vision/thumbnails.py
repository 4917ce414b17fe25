"""Small pictures of the best known items, made of those that the shop brings."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from vision.decode import PictureRefused, decode
from vision.item_files import item_pictures
from vision.settings import PictureSettings

_QUALITY = 80


def make_thumbnails(
    items: pl.DataFrame,
    used: NDArray[np.int32],
    popularity: NDArray[np.float32],
    data: Path | None,
    settings: PictureSettings,
) -> dict[int, bytes]:
    """JPEG files by dense item, of the `settings.thumbnails` best known items that have a usable picture.

    The pixels are written anew, so that nothing else that a shop's file contains is passed on. Pictures that
    cannot be used are left out; the encoding of pictures counts them.

    Args:
        items: item int32 (1…N), `image` (`vision.item_files`).
        used: int32[…], dense items of which one is wanted.
        popularity: float32[N + 1], by dense item.
        data: the folder that paths in `image` start at; None where there is none.
        settings: how many, how large, and the limits of what is decoded.
    """
    known = items.filter(pl.col("image").is_not_null() & pl.col("item").is_in(np.unique(used)))
    order = np.argsort(-popularity[known["item"].to_numpy()], kind="stable")[: settings.thumbnails]
    best = known[np.sort(order)]
    made: dict[int, bytes] = {}
    for picture in item_pictures(best, data, 1, settings.limits):
        if picture.missing:
            continue
        try:
            image = decode(picture.content, settings.limits, settings.thumbnail_side)
        except PictureRefused:
            continue
        image.thumbnail((settings.thumbnail_side, settings.thumbnail_side), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=_QUALITY, optimize=True)
        made[picture.item] = file.getvalue()
    return made
