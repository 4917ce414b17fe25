"""Features of pictures, by the encoder's network in this process; kept between runs where asked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.picture_encoder import FEATURES, SIDE
from models.picture_network import PictureNetwork, load_pretrained
from vision.square import square

_BATCH = 32


class InProcessEncoder:
    """EfficientNet-lite0 in torch, on one thread."""

    def __init__(self, cache: Path | None = None) -> None:
        """`cache`: folder that keeps the features of each square; None keeps none."""
        torch.set_num_threads(1)
        self.network = PictureNetwork()
        """Has its weights."""
        load_pretrained(self.network)
        self._cache = cache
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)

    def features(self, pictures: list[Image.Image]) -> NDArray[np.float32]:
        """float32[n, 1280] of RGB pictures."""
        if not pictures:
            return np.empty((0, FEATURES), np.float32)
        parts = [
            self._batch(np.stack([square(each, SIDE) for each in pictures[first : first + _BATCH]]))
            for first in range(0, len(pictures), _BATCH)
        ]
        return np.concatenate(parts)

    def maps(self, squares: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """float32[n, 112, 14, 14] and float32[n, 320, 7, 7] of squares uint8[n, 224, 224, 3]; not kept."""
        with torch.no_grad():
            _, fine, coarse = self.network(torch.from_numpy(squares.copy()))
        return fine.numpy(), coarse.numpy()

    def _batch(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        files = [self._file(each) for each in squares]
        made = np.empty((len(squares), FEATURES), np.float32)
        new = []
        for row, file in enumerate(files):
            if file is not None and file.exists():
                made[row] = np.load(file, allow_pickle=False)
            else:
                new.append(row)
        if new:
            with torch.no_grad():
                made[new] = self.network(torch.from_numpy(squares[new]))[0].numpy()
        for row in new:
            file = files[row]
            if file is not None:
                np.save(file, made[row], allow_pickle=False)
        return made

    def _file(self, pixels: NDArray[np.uint8]) -> Path | None:
        """Where the features of a square uint8[224, 224, 3] are kept."""
        if self._cache is None:
            return None
        return self._cache / f"{hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()}.npy"
