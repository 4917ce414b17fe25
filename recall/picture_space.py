"""The space in which pictures are compared: what became of a picture's features on the way to its vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

_CENTRE, _MATRIX, _ENCODER = "space_centre", "space_matrix", "space_encoder"
UNNAMED = bytes(8)


@dataclass(frozen=True)
class PictureSpace:
    """A linear map of features to vectors, which are compared by their cosine.

    Attributes:
        centre: float32[F], subtracted from features.
        matrix: float32[F, D].
        encoder: 8 bytes that name the weights, and the preparation of pictures, that the features are of.
    """

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]
    encoder: bytes = UNNAMED

    @property
    def features(self) -> int:
        """F."""
        return len(self.centre)

    @property
    def dimensions(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    def project(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors float32[n, D] of length 1 from features float32[n, F]; the centre gives zeros."""
        projected = np.asarray((features - self.centre) @ self.matrix, np.float32)
        length = np.linalg.norm(projected, axis=1, keepdims=True)
        np.divide(projected, length, out=projected, where=length > 0)
        return projected

    def save(self, folder: Path) -> None:
        """Writes the map into `folder`."""
        save_column(folder, _CENTRE, self.centre)
        save_column(folder, _MATRIX, self.matrix.reshape(-1))
        save_column(folder, _ENCODER, np.frombuffer(self.encoder, np.uint8))

    @classmethod
    def open(cls, folder: Path) -> PictureSpace:
        """Maps what `save` wrote. Raises SnapshotError where it is torn."""
        centre = load_column(folder, _CENTRE, np.dtype(np.float32))
        matrix = load_column(folder, _MATRIX, np.dtype(np.float32))
        if not len(centre) or not len(matrix) or len(matrix) % len(centre):
            raise SnapshotError(
                folder,
                f"{_MATRIX}.npy",
                f"holds {len(matrix)} numbers, which map no {len(centre)} features",
                "build the snapshot again",
            )
        encoder = load_column(folder, _ENCODER, np.dtype(np.uint8), len(UNNAMED)).tobytes()
        return cls(centre, matrix.reshape(len(centre), -1), encoder)
