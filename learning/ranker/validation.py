"""How well samples were predicted: log loss and AUC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def log_loss(log_odds: Floats, clicked: NDArray[np.bool_]) -> float:
    """Mean of −log of the probability given to what happened; NaN of none."""
    if not clicked.size:
        return float("nan")
    signed = np.where(clicked, -log_odds, log_odds)
    return float(np.logaddexp(0, signed).mean())


def auc(scores: Floats, clicked: NDArray[np.bool_]) -> float:
    """The share of pairs of a click and a non-click that are in the right order; ties count half.

    NaN where there are no clicks, or nothing else. The rank-sum statistic (Hanley and McNeil, Radiology
    1982).
    """
    positive = int(np.count_nonzero(clicked))
    negative = clicked.size - positive
    if not positive or not negative:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # The mean rank of each distinct score.
    ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(ranks[inverse][clicked].sum())
    return (rank_sum - positive * (positive + 1) / 2) / (positive * negative)
