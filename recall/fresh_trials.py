"""What a request of the channel `fresh` sees of the trials of new items, and takes of their budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FEATURE = "fresh_trials"
"""The query feature."""


@dataclass(frozen=True, slots=True)
class ExposureBudgets:
    """What the channel may spend.

    each      exposures of one item
    daily     exposures of all together on a day (UTC); None = any number
    ends_at   int64[n]: unix second after which an item is not new any more
    """

    each: int
    daily: int | None
    ends_at: NDArray[np.int64]


class FreshTrials(Protocol):
    """Belongs to one request."""

    def counted(
        self, item_keys: NDArray[np.uint64], categories: Sequence[str], now: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Impressions and clicks of late, decayed with a half-life of 7 days.

        Returns float32[n, 2] of items, by their keys, and float32[c, 2] of categories, by their names.
        """
        ...

    def claim(
        self,
        scene: str,
        item_keys: NDArray[np.uint64],
        order: NDArray[np.int64],
        most: int,
        budgets: ExposureBudgets,
        now: int,
    ) -> NDArray[np.int64]:
        """The first `most` of `order`, positions of items, of whose budgets an exposure each was taken."""
        ...


class NoTrials:
    """Nothing was counted, and nothing is: for pages that nobody sees, and in a shop without a router."""

    def counted(
        self, item_keys: NDArray[np.uint64], categories: Sequence[str], now: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Zeros."""
        return np.zeros((item_keys.size, 2), np.float32), np.zeros((len(categories), 2), np.float32)

    def claim(
        self,
        scene: str,
        item_keys: NDArray[np.uint64],
        order: NDArray[np.int64],
        most: int,
        budgets: ExposureBudgets,
        now: int,
    ) -> NDArray[np.int64]:
        """The first `most`."""
        return order[:most]


NO_TRIALS: FreshTrials = NoTrials()
