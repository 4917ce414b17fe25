"""Encodes pictures offline with the graph that Triton serves, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.picture_encoder import COARSE, FINE, OUTPUT, PICTURES, SIDE

_GRAPH = "model.onnx"


class Encoder(Protocol):
    """What makes features of pictures."""

    name: str
    """Names weights and preparation: features of one name can be compared."""
    side: int
    """Pixels of a side of the squares that it takes."""

    def encode(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8[n, side, side, 3] → float32[n, F]."""
        ...


class MapEncoder(Encoder, Protocol):
    """One that tells where things are, too."""

    def maps(self, squares: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """uint8[n, S, S, 3] → float32[n, 112, S/16, S/16] and float32[n, 320, S/32, S/32]."""
        ...


class GraphEncoder:
    """A version of the model `picture_encoder` in ONNX Runtime."""

    side = SIDE

    def __init__(self, version_folder: Path, name: str, threads: int) -> None:
        """Loads the graph of a version of Triton's repository; `name` as in `Encoder`."""
        self.name = name
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(
            version_folder / _GRAPH, options, providers=["CPUExecutionProvider"]
        )

    def encode(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8[n, side, side, 3] → float32[n, F]."""
        (features,) = self._session.run([OUTPUT], {PICTURES: squares})
        return np.asarray(features, np.float32)

    def maps(self, squares: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As in `MapEncoder`."""
        fine, coarse = self._session.run([FINE, COARSE], {PICTURES: squares})
        return np.asarray(fine, np.float32), np.asarray(coarse, np.float32)
