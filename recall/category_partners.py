"""What goes with the items of a category: what is likely of an item that few baskets hold. Offline only.

For a category c and an item j

    rate(c, j)      = Σ over items i ≠ j of c  together(i, j)  /  Σ over items i of c  n_i
    together(c, j)  = max(0, rate(c, j) − rate(any category, j))

with `together` of `recall.baskets` and n_i the number of baskets that hold i: what one basket of an item of c
adds to what the item shares with j, beyond what a basket of any item adds. It is added to what an item shares
itself as if it came from further baskets (a prior, as in Dirichlet smoothing), so that it decides where an
item has few baskets of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.baskets import Baskets, Partners
from recall.lists import best_of_each_row
from snapshot.log_parts import run_slices

_ROUNDING = 1e-4
"""Part of a sum of float32 below which what is left of it counts as nothing."""


def category_partners(
    baskets: Baskets,
    category: NDArray[np.integer],
    categories: int,
    pairs_per_block: int,
    most: int,
    strength: Callable[[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]], NDArray[np.float64]],
) -> Partners:
    """At most `most` partners of each category 1…categories, chosen by strength(category, item, together).

    Args:
        baskets: what was taken together.
        category: codes by item, [N + 1]; 0 = unknown, which has no partners.
        categories: the largest code.
        pairs_per_block: pairs of a category and an item counted in memory at once.
        most: partners of a category.
        strength: of columns of equal length; what is not positive is no partner.
    """
    size = len(category)
    taken = baskets.weighed(size - 1)
    with_itself = np.asarray(taken.sum(axis=0)).ravel()
    held_of = _held_of(baskets, category, categories)
    total = np.asarray(held_of.sum(axis=0)).ravel()
    of_any = np.asarray(taken.T @ np.asarray(held_of.sum(axis=1)).ravel()) - with_itself * (category > 0)
    of_any /= max(float(total.sum()), 1.0)
    found = [Partners(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0))]
    step = max(1, pairs_per_block // size)
    for start in range(1, categories + 1, step):
        block = slice(start, min(start + step, categories + 1))
        together = (held_of[:, block].T @ taken).tocsr()
        row = np.repeat(np.arange(block.start, block.stop), np.diff(together.indptr))
        item = together.indices
        own = np.where(category[item] == row, with_itself[item], np.float32(0))
        left = together.data - own
        rate = np.where(left > _ROUNDING * together.data, left, 0) / total[row]
        beyond = np.maximum(rate - of_any[item], 0).astype(np.float32)
        strengths = np.where(beyond > 0, strength(row, item, beyond), 0)
        best = best_of_each_row(together.indptr, strengths, most)
        found.append(Partners(row[best], item[best].astype(np.int32), beyond[best], strengths[best]))
    return Partners(
        *(np.concatenate([getattr(part, name) for part in found]) for name in Partners.__dataclass_fields__)
    )


def _held_of(baskets: Baskets, category: NDArray[np.integer], categories: int) -> sp.csc_matrix:
    """float32[B, categories + 1]: how many items of each category a basket holds, none of an unknown one."""
    parts, first = [], 0
    for rows in run_slices(baskets.basket):
        after = int(baskets.basket[rows][-1:].max(initial=-1)) + 1
        code = category[baskets.item[rows]]
        known = code > 0
        places = baskets.basket[rows][known] - first, code[known]
        counts = np.ones(len(places[0]), np.float32)
        parts.append(sp.csr_matrix((counts, places), (after - first, categories + 1)))
        first = after
    return sp.vstack(parts, format="csc")
