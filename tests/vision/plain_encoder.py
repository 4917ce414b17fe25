"""An encoder without a network: the mean colours of 8 × 8 fields, by which tests need no weights.

    python -m tests.vision.plain_encoder DATA CACHE BATCHES

encodes the pictures of DATA/items.csv and kills itself by SIGKILL in the batch after BATCHES.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vision.encode_pictures import EncodedPictures, encode_pictures
from vision.feature_cache import FeatureCache
from vision.item_files import item_pictures
from vision.settings import PictureSettings

FEATURES = 192


class PlainEncoder:
    """Squares of 32 pixels → 192 features; ends the process in the batch after `survives`."""

    name = "plain"
    side = 32

    def __init__(self, survives: int | None = None) -> None:
        self.batches = 0
        self._survives = survives

    def encode(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.batches == self._survives:
            os.kill(os.getpid(), signal.SIGKILL)
        self.batches += 1
        fields = squares.reshape(len(squares), 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(squares), -1)
        return (fields / np.maximum(np.linalg.norm(fields, axis=1, keepdims=True), 1)).astype(np.float32)


def items_of(data: Path) -> pl.DataFrame:
    """The items of a shop's folder, numbered 1…N."""
    return pl.read_csv(data / "items.csv").with_row_index("item", offset=1)


def encode(data: Path, cache_folder: Path, encoder: PlainEncoder, per_item: int = 5) -> EncodedPictures:
    """Encodes the pictures of a shop's folder in batches of 16."""
    limits = PictureSettings().limits
    cache = FeatureCache(cache_folder, encoder.name, FEATURES)
    try:
        pictures = item_pictures(items_of(data), data, per_item, limits)
        return encode_pictures(pictures, encoder, cache, limits, 16, lambda done: None)
    finally:
        cache.close()


if __name__ == "__main__":
    encode(Path(sys.argv[1]), Path(sys.argv[2]), PlainEncoder(int(sys.argv[3])))
