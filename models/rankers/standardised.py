"""Inputs of mean 0 and standard deviation 1, by those of the training range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.rankers.examples import Examples, Float32

LARGEST = 8.0
"""Standard deviations at which an input is cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Standardised:
    """mean, scale: float32[F]; a constant input has a scale of 1."""

    mean: Float32
    scale: Float32

    @classmethod
    def of(cls, examples: Examples) -> Standardised:
        """Fitted to the examples."""
        scale = examples.inputs.std(axis=0, dtype=np.float64).astype(np.float32)
        mean = examples.inputs.mean(axis=0, dtype=np.float64).astype(np.float32)
        return cls(mean, np.where(scale > 0, scale, np.float32(1)))

    def __call__(self, examples: Examples) -> Float32:
        """float32[n, F]."""
        scaled = (examples.inputs - self.mean) / self.scale
        return np.asarray(np.clip(scaled, -LARGEST, LARGEST), np.float32)
