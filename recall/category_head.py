"""A layer over a picture's features that names its category, with probabilities that mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

_WEIGHTS, _BIAS, _CODES, _FIGURES = "head_weights", "head_bias", "head_codes", "head_figures"


@dataclass(frozen=True)
class CategoryHead:
    """Softmax of a linear map of features, divided by a temperature.

    Attributes:
        weights: float32[F, C].
        bias: float32[C].
        codes: int32[C], the category of each column.
        temperature: divides the logits; fitted on pictures held out.
        least_probability: of the likeliest category, below which a picture is of nothing known.
        least_likeness: cosine of the most alike picture, below which it is, too.
        accuracy: part of the pictures held out whose category is the likeliest.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    codes: NDArray[np.int32]
    temperature: float
    least_probability: float
    least_likeness: float
    accuracy: float

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n, C] of features float32[n, F]; each row is 1 in all."""
        return softmax(features @ self.weights + self.bias, self.temperature)

    def is_known(self, probability: float, likeness: float) -> bool:
        """Whether a picture is of something known, by its likeliest category and its most alike picture."""
        return probability >= self.least_probability and likeness >= self.least_likeness

    def save(self, folder: Path) -> None:
        """Writes it into `folder`."""
        save_column(folder, _WEIGHTS, self.weights.reshape(-1))
        save_column(folder, _BIAS, self.bias)
        save_column(folder, _CODES, self.codes)
        figures = [self.temperature, self.least_probability, self.least_likeness, self.accuracy]
        save_column(folder, _FIGURES, np.array(figures, np.float64))

    @classmethod
    def open(cls, folder: Path, features: int) -> CategoryHead | None:
        """What `save` wrote; None where nothing was. Raises SnapshotError where it does not fit."""
        if not (folder / f"{_CODES}.npy").exists():
            return None
        codes = load_column(folder, _CODES, np.dtype(np.int32))
        weights = load_column(folder, _WEIGHTS, np.dtype(np.float32), features * len(codes))
        bias = load_column(folder, _BIAS, np.dtype(np.float32), len(codes))
        figures = load_column(folder, _FIGURES, np.dtype(np.float64), 4).tolist()
        if not len(codes) or not np.isfinite(figures).all() or figures[0] <= 0:
            raise SnapshotError(folder, f"{_FIGURES}.npy", "is no fitted head", "build the snapshot again")
        return cls(weights.reshape(features, -1), bias, codes, *figures)


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """float64[n, C] of logits float32[n, C] divided by the temperature."""
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
