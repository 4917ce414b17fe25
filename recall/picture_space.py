"""The space in which pictures are compared: what became of a picture's look on the way to its vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.unit_rows import unit_rows
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

_CENTRE, _MATRIX, _ENCODER, _COLOURS = "space_centre", "space_matrix", "space_encoder", "space_colours"
UNNAMED = bytes(8)


@dataclass(frozen=True)
class PictureSpace:
    """A linear map of looks to vectors, which are compared by their cosine.

    A look is the F features that the encoder makes of a picture, and behind them the C shares of its colours
    (`vision.colours`), where the space has any.

    Attributes:
        centre: float32[F + C], subtracted from looks.
        matrix: float32[F + C, D].
        encoder: 8 bytes that name the weights, and the preparation of pictures, that the features are of.
        colours: C; 0 = features alone are compared.
    """

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]
    encoder: bytes = UNNAMED
    colours: int = 0

    @property
    def features(self) -> int:
        """F."""
        return len(self.centre) - self.colours

    @property
    def dimensions(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    def project(self, looks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors float32[n, D] of length 1 from looks float32[n, F + C]; the centre gives zeros."""
        return unit_rows(np.asarray((looks - self.centre) @ self.matrix, np.float32))

    def save(self, folder: Path) -> None:
        """Writes the map into `folder`."""
        save_column(folder, _CENTRE, self.centre)
        save_column(folder, _MATRIX, self.matrix.reshape(-1))
        save_column(folder, _ENCODER, np.frombuffer(self.encoder, np.uint8))
        save_column(folder, _COLOURS, np.array([self.colours], np.int32))

    @classmethod
    def open(cls, folder: Path) -> PictureSpace:
        """Maps what `save` wrote; a space written before there were colours has none.

        Raises SnapshotError where it is torn.
        """
        centre = load_column(folder, _CENTRE, np.dtype(np.float32))
        matrix = load_column(folder, _MATRIX, np.dtype(np.float32))
        if not len(centre) or not len(matrix) or len(matrix) % len(centre):
            raise SnapshotError(
                folder,
                f"{_MATRIX}.npy",
                f"holds {len(matrix)} numbers, which map no look of {len(centre)}",
                "build the snapshot again",
            )
        encoder = load_column(folder, _ENCODER, np.dtype(np.uint8), len(UNNAMED)).tobytes()
        colours = 0
        if (folder / f"{_COLOURS}.npy").exists():
            colours = int(load_column(folder, _COLOURS, np.dtype(np.int32), 1)[0])
        if not 0 <= colours < len(centre):
            raise SnapshotError(
                folder, f"{_COLOURS}.npy", f"says {colours} of a look of {len(centre)}", "build again"
            )
        return cls(centre, matrix.reshape(len(centre), -1), encoder, colours)
