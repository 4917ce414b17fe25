"""Fits the space in which a shop's pictures are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recall.picture_space import PictureSpace

_SAMPLE = 50_000
_NEGLIGIBLE = 1e-6
"""Variance relative to the largest below which a direction holds nothing but rounding."""


def fit_space(features: NDArray[np.float32], dimensions: int, seed: int) -> PictureSpace:
    """Principal components of a shop's features around their mean.

    The features of one shop's pictures share much (a white ground, the kind of goods), which drowns what
    distinguishes them. Directions are not brought to one variance: fitted on catalogue pictures alone, that
    makes photos find less (docs/decisions/pictures.md).

    Args:
        features: float32[n, F], n ≥ 1.
        dimensions: D at most.
        seed: draws the pictures it is fitted on where there are many.
    """
    if len(features) > _SAMPLE:
        chosen = np.random.default_rng(seed).choice(len(features), _SAMPLE, replace=False)
        features = features[np.sort(chosen)]
    centre = features.mean(axis=0, dtype=np.float64)
    if len(features) < 2:
        # One picture has no direction in which it varies; it is compared as it is.
        return PictureSpace(np.zeros_like(centre, np.float32), np.eye(len(centre), dtype=np.float32))
    spread = features - centre
    variances, directions = np.linalg.eigh(spread.T @ spread / len(features))
    order = np.argsort(-variances, kind="stable")[:dimensions]
    variances = variances[order]
    if variances[0] <= 0:
        return PictureSpace(np.zeros_like(centre, np.float32), np.eye(len(centre), dtype=np.float32))
    kept = order[variances > _NEGLIGIBLE * variances[0]]
    return PictureSpace(centre.astype(np.float32), directions[:, kept].astype(np.float32))
