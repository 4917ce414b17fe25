"""Model scores in fixed bins, equally wide in log-odds.

Click models answer probabilities of a few per cent: bins equally wide in probability would hold nearly all of
them in one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 64
_LOG_ODDS = np.linspace(-9.0, 9.0, BINS - 1)
EDGES: NDArray[np.float32] = (1.0 / (1.0 + np.exp(-_LOG_ODDS))).astype(np.float32)
"""float32[BINS − 1], rising: bin i holds the scores s with EDGES[i − 1] ≤ s < EDGES[i]."""


def score_counts(scores: NDArray[np.float32]) -> tuple[NDArray[np.int64], int]:
    """Counts by bin, int64[BINS], of the finite scores, and how many scores are not finite.

    Scores beyond 0…1 are counted in the outermost bins.
    """
    finite = np.isfinite(scores)
    if finite.all():
        return np.bincount(np.searchsorted(EDGES, scores, side="right"), minlength=BINS), 0
    kept = scores[finite]
    counts = np.bincount(np.searchsorted(EDGES, kept, side="right"), minlength=BINS)
    return counts, scores.size - kept.size
