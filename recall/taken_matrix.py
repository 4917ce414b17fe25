"""Who took what, as a sparse matrix over the most taken items. Offline only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.channel import BuildSource, NothingToRecall
from recall.interactions import interactions_of


@dataclass(frozen=True, slots=True)
class TakenMatrix:
    """Shoppers by items.

    items   int32[m], ascending, the items that most shoppers took
    scores  float32[users, m] (CSR), the behaviour score of each pair, above 0; shoppers without one are left
            out
    """

    items: NDArray[np.int32]
    scores: sp.csr_matrix

    @classmethod
    def of(cls, source: BuildSource, max_items: int, items_per_user: int) -> TakenMatrix:
        """Of what shoppers did up to `source.now`, the latest `items_per_user` items of each.

        Raises NothingToRecall where no shopper took two of the items.
        """
        taken = interactions_of(source, items_per_user)
        size = source.catalogue.size
        shoppers = np.bincount(taken.item, minlength=size + 1)
        items = np.sort(np.argsort(-shoppers, kind="stable")[:max_items])
        items = items[shoppers[items] > 0]
        number = np.full(size + 1, -1)
        number[items] = np.arange(len(items))
        column = number[taken.item]
        known = column >= 0
        _, row = np.unique(taken.user[known], return_inverse=True)
        if not row.size or np.bincount(row).max() < 2:
            raise NothingToRecall("no shopper of the log took two items")
        scores = sp.csr_matrix(
            (taken.score[known], (row, column[known])), shape=(int(row.max()) + 1, len(items))
        )
        return cls(items.astype(np.int32), scores)

    @property
    def presence(self) -> sp.csr_matrix:
        """float32[users, m]: 1 for each pair."""
        ones = self.scores.copy()
        ones.data[:] = 1
        return ones
