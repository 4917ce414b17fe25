"""The square of pixels that the encoder sees of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Box:
    """A part of a picture, in shares 0…1 of its width and height from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def of(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The box in pixels, at least one pixel wide and high."""
        left, top = min(self.left * width, width - 1), min(self.top * height, height - 1)
        return left, top, max(self.right * width, left + 1), max(self.bottom * height, top + 1)


WHOLE = Box(0.0, 0.0, 1.0, 1.0)
"""All of a picture."""


def square(image: Image.Image, side: int, box: Box = WHOLE) -> NDArray[np.uint8]:
    """uint8[side, side, 3]: the box of an RGB picture, stretched to a square.

    Stretched, because a crop loses what lies at the edges, and a margin takes pixels from the rest.
    """
    stretched = image.resize(
        (side, side), Image.Resampling.BICUBIC, box=box.of(*image.size), reducing_gap=3.0
    )
    return np.asarray(stretched, np.uint8)
