"""How well the heads of ordered candidates hold what was taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.ranking_metrics import ndcg

HEAD = 10


def head_ndcg(
    scores: NDArray[np.floating], taken: NDArray[np.bool_], shopper: NDArray[np.integer]
) -> NDArray[np.float64]:
    """float64[s]: NDCG@10 of the candidates of each shopper who took any of them, by shopper.

    Args:
        scores: float[n], higher is better; equal ones keep their order.
        taken: bool[n].
        shopper: int[n], whose each is.

    Example:
        >>> head_ndcg(np.array([0.2, 0.9, 0.1]), np.array([False, True, False]), np.array([7, 7, 8])).tolist()
        [1.0]
    """
    _, whose = np.unique(shopper, return_inverse=True)
    order = np.lexsort((-scores, whose))
    whose = whose[order]
    counts = np.bincount(whose)
    place = np.arange(len(whose)) - (np.cumsum(counts) - counts)[whose]
    head = place < HEAD
    hits = np.zeros((len(counts), HEAD), np.bool_)
    hits[whose[head], place[head]] = taken[order][head]
    takes = np.bincount(whose, taken[order], minlength=len(counts)).astype(np.int64)
    some = takes > 0
    return ndcg(hits[some], takes[some].tolist(), HEAD)
