"""The categories of a picture by those of the pictures most like it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def category_shares(
    categories: NDArray[np.int32], likeness: NDArray[np.float32], temperature: float, limit: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Shares of the neighbours' categories, where a neighbour weighs exp(likeness / temperature).

    Args:
        categories: int32[n], codes; 0 = unknown, which counts for none.
        likeness: float32[n], cosines.
        temperature: difference of cosines by which a neighbour weighs e times less.
        limit: categories at most.

    Returns:
        Codes int32[m] and shares float64[m], largest first; of equal shares the smaller code.
    """
    known = categories > 0
    if not known.any():
        return np.empty(0, np.int32), np.empty(0, np.float64)
    alike = likeness[known].astype(np.float64)
    codes, member = np.unique(categories[known], return_inverse=True)
    weights = np.bincount(member, np.exp((alike - alike.max()) / temperature))
    order = np.argsort(-weights, kind="stable")[:limit]
    return codes[order].astype(np.int32), weights[order] / weights.sum()
