"""How much less an item counts the more baskets it is in, the same for tables and for scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RARE_BASKETS = 10.0
"""Added to each item's baskets: it keeps items of a few baskets from leading by chance."""


def popularity_discount(baskets: NDArray[np.integer], exponent: float) -> NDArray[np.float64]:
    """(n + 10)^−α of items that are in n baskets; float64 of the same length."""
    return np.asarray((baskets + RARE_BASKETS) ** -exponent, np.float64)
