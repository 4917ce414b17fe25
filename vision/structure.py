"""The structure of a picture: 256 bits of its light and shadow, which compression and scale leave alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct

_SIDE, _KEPT = 64, 16


def structure(image: Image.Image) -> NDArray[np.uint8]:
    """uint8[32]: which of the 16 × 16 lowest frequencies of an RGB picture lie above their median.

    The perceptual hash of Zauner ("Implementation and Benchmarking of Perceptual Image Hash Functions",
    2010), as the library `imagehash` computes it for a hash of 16 × 16.
    """
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), np.float64)
    lowest = dct(dct(grey, axis=0), axis=1)[:_KEPT, :_KEPT]
    return np.packbits(lowest > np.median(lowest))
