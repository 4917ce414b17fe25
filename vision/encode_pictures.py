"""Features of all pictures of a shop's items, each content encoded once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vision.decode import PictureRefused, decode
from vision.encoder import Encoder
from vision.feature_cache import Records, content_key
from vision.item_files import ItemPicture
from vision.picture_records import content_numbers
from vision.same_picture import small_copy
from vision.settings import PictureLimits
from vision.square import square
from vision.structure import structure

_REDUCED = 2
"""A JPEG is decoded at a size at least this many times the square's, and then made smaller."""

Progress = Callable[[int], None]
"""Told how many pictures are behind."""


@dataclass
class EncodedPictures:
    """The usable pictures, in the order given.

    Attributes:
        items: int32[P], the item of each.
        features: float32[P, F], as the cache keeps them.
        structures: uint8[P, 32] (`vision.structure`).
        copies: uint8[P, 3456] (`vision.same_picture`).
        contents: uint64[P, 2], what names each content.
        refused: reason → pictures that cannot be used.
        encoded: contents that were encoded now; the others' features were kept.
    """

    items: NDArray[np.int32]
    features: NDArray[np.float32]
    structures: NDArray[np.uint8]
    copies: NDArray[np.uint8]
    contents: NDArray[np.uint64]
    refused: Counter[str] = field(default_factory=Counter)
    encoded: int = 0


def encode_pictures(
    pictures: Iterator[ItemPicture],
    encoder: Encoder,
    cache: Records,
    limits: PictureLimits,
    batch: int,
    progress: Progress,
) -> EncodedPictures:
    """Reads, decodes and encodes pictures, `batch` at a time.

    A batch is durable in the cache before the next is read, so a build that is killed continues where it was.
    """
    items: list[int] = []
    rows: list[np.void] = []
    keys: dict[tuple[int, bytes], None] = {}
    refused: Counter[str] = Counter()
    encoded = done = 0
    for part in _batches(pictures, batch):
        contents = {content_key(each.content): each.content for each in part if not each.missing}
        known = cache.read(list(contents))
        fresh, reasons = _prepared({k: c for k, c in contents.items() if k not in known}, encoder, limits)
        if fresh:
            made = np.zeros(len(fresh), cache.record)
            made["features"] = encoder.encode(np.stack([each.square for each in fresh.values()]))
            made["structure"] = np.stack([each.structure for each in fresh.values()])
            made["copy"] = np.stack([each.copy for each in fresh.values()])
            new = dict(zip(fresh, made, strict=True))
            cache.write(new)
            known |= new
            encoded += len(new)
        for each in part:
            key = content_key(each.content)
            if each.missing:
                refused[each.missing] += 1
            elif key in known:
                # An item that names one picture twice has it once.
                if (each.item, key) not in keys:
                    keys[each.item, key] = None
                    items.append(each.item)
                    rows.append(known[key])
            else:
                refused[reasons[key]] += 1
        done += len(part)
        progress(done)
    kept = np.array(rows, cache.record)
    return EncodedPictures(
        np.array(items, np.int32),
        kept["features"].astype(np.float32),
        kept["structure"],
        kept["copy"],
        content_numbers([key for _, key in keys]),
        refused,
        encoded,
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is encoded of a picture, uint8[side, side, 3], its structure, uint8[32], and its small copy."""

    square: NDArray[np.uint8]
    structure: NDArray[np.uint8]
    copy: NDArray[np.uint8]


def _prepared(
    contents: dict[bytes, bytes], encoder: Encoder, limits: PictureLimits
) -> tuple[dict[bytes, _Prepared], dict[bytes, str]]:
    """The pictures that can be used, and the reasons of the others, by key."""
    prepared: dict[bytes, _Prepared] = {}
    reasons: dict[bytes, str] = {}
    for key, content in contents.items():
        try:
            image = decode(content, limits, _REDUCED * encoder.side)
            prepared[key] = _Prepared(square(image, encoder.side), structure(image), small_copy(image))
        except PictureRefused as refusal:
            reasons[key] = refusal.reason
    return prepared, reasons


def _batches(pictures: Iterator[ItemPicture], size: int) -> Iterator[list[ItemPicture]]:
    part: list[ItemPicture] = []
    for each in pictures:
        part.append(each)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
