"""Nearest vectors within one category: the rows of a flat index lie category by category.

The index's own selector of a range of rows then compares the category's vectors and no others, exactly. The
alternative, coordinates that shift each category far from the others, is in `benchmarks.category_search`,
which shows that both find the same and what each takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

_FAISS: Any = faiss
"""Its stubs lack the keywords that its Python adds."""


@dataclass(frozen=True)
class CategoryRows:
    """A flat index by inner product whose rows are sorted by category; `first[c]` is c's first row.

    first  int64[C + 2]: rows first[c] to first[c + 1] are those of the category c
    """

    index: Any
    first: NDArray[np.int64]

    @classmethod
    def over(cls, index: Any, categories: NDArray[np.integer], count: int) -> CategoryRows:
        """Of an index whose rows have the categories int[n], ascending, of 0…count.

        Raises ValueError where these do not ascend, or are not those of its rows.
        """
        if len(categories) != index.ntotal or np.any(np.diff(categories) < 0):
            raise ValueError("the index's rows are not sorted by category")
        return cls(index, np.searchsorted(categories, np.arange(count + 2)).astype(np.int64))

    def sizes(self) -> NDArray[np.int64]:
        """int64[C + 1]: rows of each category."""
        return np.diff(self.first)

    def search(
        self, vector: NDArray[np.float32], category: int, k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k nearest of a category to float32[D]: inner products float32[m] that fall, and rows int64[m].

        m is min(k, what the category has).
        """
        begin, end = int(self.first[category]), int(self.first[category + 1])
        wanted = min(k, end - begin)
        if wanted <= 0:
            return np.empty(0, np.float32), np.empty(0, np.int64)
        parameters = _FAISS.SearchParameters(sel=_FAISS.IDSelectorRange(begin, end, True))
        near, rows = self.index.search(np.ascontiguousarray(vector[None]), wanted, params=parameters)
        return near[0], rows[0]
