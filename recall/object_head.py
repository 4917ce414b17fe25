"""Layers over the encoder's maps of a picture that find where things are, whatever they are.

Of every place of a grid of 14 × 14, as a fully convolutional detector has it (Tian et al., "FCOS", ICCV
2019): how surely it is the middle of a thing, and how far that thing reaches from there in four directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.found_boxes import FoundBoxes
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

GRID = 14
FINE, COARSE = 112, 320
"""Channels of the maps float32[112, 14, 14] and float32[320, 7, 7]."""
WIDE = 32
OUTPUTS = 5
"""A logit, and the logarithms of the reach to the left, up, to the right and down, by `UNIT`."""
UNIT = 0.25
"""Share of the side that a reach of logarithm 0 is."""
_SHAPES = {
    "fine": (FINE, WIDE),
    "coarse": (COARSE, WIDE),
    "middle": (9 * WIDE, WIDE),
    "deep": (9 * WIDE, WIDE),
    "last": (WIDE, OUTPUTS),
    "fine_bias": (WIDE,),
    "middle_bias": (WIDE,),
    "deep_bias": (WIDE,),
    "last_bias": (OUTPUTS,),
}
_FILE, _OVERLAP = "object_head", 0.5
_LONGEST = 4.0


@dataclass(frozen=True)
class ObjectHead:
    """1×1 convolutions of both maps, two of 3×3, and one of 1×1, with ReLU between them.

    Attributes:
        weights: by the names of `_SHAPES`, float32 of these shapes; those of 3×3 by rows of the kernel,
            columns, inputs.
        overlap: mean overlap (IoU) of the surest box with a thing, on scenes held out.
    """

    weights: dict[str, NDArray[np.float32]]
    overlap: float = 0.0

    def find(
        self, fine: NDArray[np.float32], coarse: NDArray[np.float32], most: int, least: float
    ) -> FoundBoxes:
        """The things in a picture, the surest first.

        Args:
            fine: float32[112, 14, 14].
            coarse: float32[320, 7, 7].
            most: boxes at most.
            least: confidence that a box has at least.
        """
        w = self.weights
        wide = fine.reshape(FINE, -1).T @ w["fine"] + w["fine_bias"]
        deep = (coarse.reshape(COARSE, -1).T @ w["coarse"]).reshape(GRID // 2, GRID // 2, WIDE)
        x = wide.reshape(GRID, GRID, WIDE) + deep.repeat(2, axis=0).repeat(2, axis=1)
        x = np.maximum(x, 0)
        for name in ("middle", "deep"):
            x = np.maximum(_around(x) @ w[name] + w[f"{name}_bias"], 0).reshape(GRID, GRID, WIDE)
        out = x.reshape(-1, WIDE) @ w["last"] + w["last_bias"]
        confidence = (1 / (1 + np.exp(-out[:, 0]))).astype(np.float32)
        likely = np.flatnonzero(confidence >= least)
        reach = UNIT * np.exp(np.clip(out[likely, 1:], -_LONGEST, _LONGEST))
        rows, columns = np.divmod(likely, GRID)
        x_middle, y_middle = (columns + 0.5) / GRID, (rows + 0.5) / GRID
        edges = np.stack(
            (x_middle - reach[:, 0], y_middle - reach[:, 1], x_middle + reach[:, 2], y_middle + reach[:, 3]),
            axis=1,
        )
        boxes = FoundBoxes(np.clip(edges, 0, 1).astype(np.float32), confidence[likely])
        return boxes.without_overlap(most, _OVERLAP)

    def save(self, folder: Path) -> None:
        """Writes it into `folder`."""
        parts = [np.array([self.overlap], np.float32), *(self.weights[name].reshape(-1) for name in _SHAPES)]
        save_column(folder, _FILE, np.concatenate(parts).astype(np.float32))

    @classmethod
    def open(cls, folder: Path) -> ObjectHead | None:
        """What `save` wrote; None where nothing was. Raises SnapshotError where it does not fit."""
        if not (folder / f"{_FILE}.npy").exists():
            return None
        sizes = [int(np.prod(shape)) for shape in _SHAPES.values()]
        stored = load_column(folder, _FILE, np.dtype(np.float32), 1 + sum(sizes))
        if not np.isfinite(stored).all():
            raise SnapshotError(folder, f"{_FILE}.npy", "holds what is no number", "build the snapshot again")
        parts = np.split(stored[1:], np.cumsum(sizes)[:-1])
        weights = {
            name: part.reshape(shape) for (name, shape), part in zip(_SHAPES.items(), parts, strict=True)
        }
        return cls(weights, float(stored[0]))


def _around(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[196, 9·C]: of every place of float32[14, 14, C] the 3 × 3 places around it, 0 outside."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.ascontiguousarray(windows.transpose(0, 1, 3, 4, 2)).reshape(GRID * GRID, -1)
