"""How much of each colour a picture has: what the encoder's features, which tell things apart, leave out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vision.picture_records import COLOUR_SIDE, LIGHT_SIDE

_HUES, _SATURATIONS, _VALUES = 8, 4, 4
COLOURS = _HUES * _SATURATIONS * _VALUES
"""Bins of the histogram."""
_PART = 512
"""Copies counted at a time, which bounds the memory it takes."""


def colours_of(copies: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of 8 hues, 4 saturations and 4 values, the roots of their shares (Hellinger's distance).

    Args:
        copies: uint8[n, 3456], small copies of pictures (`vision.same_picture.small_copy`).

    Returns:
        float32[n, 128], each of length 1.
    """
    parts = [_counts(copies[first : first + _PART]) for first in range(0, len(copies), _PART)]
    counts = np.concatenate(parts) if parts else np.zeros((0, COLOURS), np.float32)
    return np.sqrt(counts / LIGHT_SIDE**2)


def _counts(copies: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[n, 128]: places of each colour."""
    count, light = len(copies), LIGHT_SIDE**2
    scale = LIGHT_SIDE // COLOUR_SIDE
    luma = copies[:, :light].astype(np.float32).reshape(count, LIGHT_SIDE, LIGHT_SIDE)
    blue, red = (
        (plane.astype(np.float32) - 128)
        .reshape(count, COLOUR_SIDE, COLOUR_SIDE)
        .repeat(scale, axis=1)
        .repeat(scale, axis=2)
        for plane in np.split(copies[:, light:], 2, axis=1)
    )
    # ITU-R BT.601 without head room, as JPEG has it.
    channels = np.stack((luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue))
    channels = np.clip(channels, 0, 255)
    value, spread = channels.max(axis=0), np.ptp(channels, axis=0)
    first, second, third = channels
    # Sixths of the circle of hues, from red on; a grey has the hue of red.
    ahead = np.where(
        value == first, (second - third), np.where(value == second, third - first, first - second)
    )
    base = np.where(value == first, 0, np.where(value == second, 2, 4))
    hue = ((ahead / np.maximum(spread, 1e-6) + base) / 6) % 1
    saturation = spread / np.maximum(value, 1e-6)
    bins = [
        np.minimum((each * number).astype(np.int64), number - 1)
        for each, number in ((hue, _HUES), (saturation, _SATURATIONS), (value / 255, _VALUES))
    ]
    code = np.ravel_multi_index(bins, (_HUES, _SATURATIONS, _VALUES)).reshape(count, light)
    rows = np.arange(count)[:, None] * COLOURS
    counted = np.bincount((code + rows).ravel(), minlength=count * COLOURS)
    return counted.reshape(count, COLOURS).astype(np.float32)
