"""Sets of items that belong together, as a shop brings them (`outfits`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class OutfitSets:
    """Distinct (set, item) pairs as columns of equal length, sorted by set.

    Attributes:
        number: int32[m], 0…S − 1.
        item: int32[m], 1…N.
    """

    number: NDArray[np.int32]
    item: NDArray[np.int32]
