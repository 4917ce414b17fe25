"""Ten bands of a positive quantity by decile."""

from __future__ import annotations

import numpy as np

from snapshot.catalogue import BANDS


def decile_bands(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Band values by the deciles of the known ones; equal values share a band.

    Args:
        values: float[n].
        known: bool[n], which values count.

    Returns:
        int32[n], 1 (lowest) … 10 where known, 0 elsewhere.
    """
    bands = np.zeros(len(values), dtype=np.int32)
    if known.any():
        inner_edges = np.quantile(values[known], np.arange(1, BANDS) / BANDS)
        bands[known] = 1 + np.searchsorted(inner_edges, values[known], side="left")
    return bands
