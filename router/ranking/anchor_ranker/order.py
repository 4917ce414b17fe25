"""What orders a page about an item: the log-odds less a part of the shopper's habits and of popularity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BASKETS = 10.0


class LogOddsParts(NamedTuple):
    """Log-odds of n candidates, float32[n], and what the shopper's own inputs add to them, float32[n]."""

    log_odds: NDArray[np.float32]
    own: NDArray[np.float32]


def order(
    parts: LogOddsParts, baskets: NDArray[np.integer], own_weight: float, popularity_weight: float
) -> NDArray[np.float32]:
    """float32[n]: log-odds − (1 − own_weight) · own − popularity_weight · log(1 + n_j / 10).

    baskets: int[n], n_j, the baskets that hold each candidate.
    """
    result = parts.log_odds - np.float32(1 - own_weight) * parts.own
    result -= np.float32(popularity_weight) * np.log1p(baskets / _BASKETS).astype(np.float32)
    return result
