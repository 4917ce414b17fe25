"""Made-up scenes: catalogue pictures, cut out of their ground, on grounds of every kind, and where they lie.

Cut, paste and learn: Dwibedi et al. (ICCV 2017). What a detector learns from them is where a thing ends and
its ground begins, not what the thing is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from recall.found_boxes import overlaps
from vision.salience import foreground

_MOST_THINGS = 3
_LEAST_THING, _LARGEST_THING = 0.25, 0.95
"""The longer side of a thing, as a part of the scene's."""
_LEAST_CUT = 0.04
"""Part of a picture that a cut-out has at least; else the whole picture is the thing."""
_OVERLAP = 0.05
_TRIES = 8

Rng = np.random.Generator
Scene = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""uint8[S, S, 3] and the boxes float32[m, 4] of the things in it, in shares of the side."""


def scene(
    pictures: Sequence[Image.Image], side: int, random: Rng, ground: Image.Image | None = None
) -> Scene:
    """A scene of one to three of the pictures, each an RGB picture of a single thing.

    Args:
        pictures: to draw from.
        side: S, pixels.
        random: chooses everything.
        ground: RGB, S × S; None = a made-up one.
    """
    ground = _ground(pictures, side, random) if ground is None else ground.copy()
    boxes: list[NDArray[np.float32]] = []
    for _ in range(int(random.choice(_MOST_THINGS, p=(0.5, 0.3, 0.2))) + 1):
        thing = _cut_out(pictures[int(random.integers(len(pictures)))], random)
        largest = _LARGEST_THING if not boxes else 0.5
        length = side * random.uniform(_LEAST_THING, largest)
        scale = length / max(thing.size)
        width, height = (max(4, round(each * scale)) for each in thing.size)
        for _ in range(_TRIES):
            # A thing may end up to a tenth outside.
            left, top = (int(random.integers(-n // 10, max(side - n + n // 10, 1))) for n in (width, height))
            edges = np.array([left, top, left + width, top + height]) / side
            box = np.clip(edges, 0, 1).astype(np.float32)
            if not boxes or overlaps(box[None], np.stack(boxes)).max() <= _OVERLAP:
                resized = thing.resize((width, height), Image.Resampling.BICUBIC)
                ground.paste(resized, (left, top), resized.getchannel("A"))
                boxes.append(box)
                break
    if random.random() < 0.3:
        ground = ground.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.2)))
    pixels = np.asarray(ground, np.float32) * np.float32(random.uniform(0.6, 1.25))
    pixels += random.standard_normal(pixels.shape, np.float32) * np.float32(random.uniform(0, 8))
    return np.clip(pixels, 0, 255).astype(np.uint8), np.stack(boxes)


def _cut_out(picture: Image.Image, random: Rng) -> Image.Image:
    """RGBA: the thing alone, turned a little, as large as what can be seen of it."""
    mask = foreground(np.asarray(picture, np.uint8))
    if mask.mean() < _LEAST_CUT:
        mask[:] = True
    cut = picture.copy()
    cut.putalpha(Image.fromarray((mask * 255).astype(np.uint8)))
    if random.random() < 0.5:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    cut = cut.rotate(random.normal(0, 10), Image.Resampling.BICUBIC, expand=True)
    box = cut.getchannel("A").point(lambda value: 255 * (value > 127)).getbbox()
    return cut.crop(box)


def _ground(pictures: Sequence[Image.Image], side: int, random: Rng) -> Image.Image:
    kinds: tuple[Callable[[Sequence[Image.Image], int, Rng], Image.Image], ...] = (
        _plain,
        _textured,
        _shelves,
        _blurred,
    )
    return kinds[int(random.integers(len(kinds)))](pictures, side, random)


def _plain(pictures: Sequence[Image.Image], side: int, random: Rng) -> Image.Image:
    """Colours that run into each other."""
    corners = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(corners).resize((side, side), Image.Resampling.BICUBIC)


def _textured(pictures: Sequence[Image.Image], side: int, random: Rng) -> Image.Image:
    """Noise of several scales: leaves, stone, cloth."""
    made = np.full((side, side, 3), random.integers(0, 256, 3), np.float32)
    for cells in (3, 7, 16, 40, 100):
        field = random.normal(0, random.uniform(5, 60), (cells, cells, int(random.choice((1, 3)))))
        field = np.broadcast_to(field, (cells, cells, 3))
        shifted = np.clip(field + 128, 0, 255).astype(np.uint8)
        made += np.asarray(Image.fromarray(shifted).resize((side, side), Image.Resampling.BICUBIC)) - 128.0
    return Image.fromarray(np.clip(made, 0, 255).astype(np.uint8))


def _shelves(pictures: Sequence[Image.Image], side: int, random: Rng) -> Image.Image:
    """Boards and rods: bands of colours, lying or standing, over a wall."""
    made = np.asarray(_plain(pictures, side, random), np.uint8).copy()
    for _ in range(int(random.integers(2, 12))):
        first = int(random.integers(side))
        band = slice(first, first + int(random.integers(2, side // 4)))
        colour = random.integers(0, 256, 3)
        if random.random() < 0.5:
            made[band] = colour
        else:
            made[:, band] = colour
    return Image.fromarray(made)


def _blurred(pictures: Sequence[Image.Image], side: int, random: Rng) -> Image.Image:
    """Parts of other pictures, enlarged and out of focus: what stands behind."""
    picture = pictures[int(random.integers(len(pictures)))]
    width, height = (max(4, round(n * random.uniform(0.2, 0.6))) for n in picture.size)
    left, top = (
        int(random.integers(n - part + 1)) for n, part in zip(picture.size, (width, height), strict=True)
    )
    part = picture.crop((left, top, left + width, top + height)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return part.filter(ImageFilter.GaussianBlur(side * random.uniform(0.01, 0.05)))
