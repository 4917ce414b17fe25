"""Ease's offline side: the weights in closed form, in single precision and in place."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from recall.channel import BuildSource
from recall.ease_settings import EaseChannelSettings
from recall.lists import ItemLists, best_of_each_row, ranked_lists
from recall.taken_matrix import TakenMatrix

ROWS_PER_BLOCK = 512


def item_weights(source: BuildSource, settings: EaseChannelSettings) -> ItemLists:
    """The largest positive weights from each item 1…N to items in stock; row 0 is empty.

    Raises NothingToRecall where no shopper took two of the items.
    """
    taken = TakenMatrix.of(source, settings.max_items, settings.items_per_user)
    size, scored, matrix = source.catalogue.size, taken.items, taken.presence
    counts = (matrix.T @ matrix).tocsr()
    inverse = _inverse(counts, settings.regularisation)
    diagonal = inverse.diagonal().copy()
    wanted = source.catalogue.in_stock[scored]
    rows: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
    items: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
    scores: list[NDArray[np.floating]] = [np.empty(0, np.float32)]
    for start in range(0, len(scored), ROWS_PER_BLOCK):
        block = np.arange(start, min(start + ROWS_PER_BLOCK, len(scored)))
        weights = np.where(wanted, -inverse[block] / diagonal, 0)
        weights[np.arange(len(block)), block] = 0
        ends = np.arange(len(block) + 1) * len(scored)
        best = best_of_each_row(ends, weights.ravel(), settings.neighbours)
        rows.append(scored[block[best // len(scored)]])
        items.append(scored[best % len(scored)])
        scores.append(weights.ravel()[best])
    return ranked_lists(
        np.concatenate(rows), np.concatenate(items), np.concatenate(scores), size + 1, settings.neighbours
    )


def _inverse(counts: sp.csr_matrix, regularisation: float) -> NDArray[np.float32]:
    """(counts + λI)⁻¹, symmetric, by Cholesky: one array of n × n is all that is held."""
    gram = np.asfortranarray(counts.toarray(order="F"), np.float32)
    gram[np.diag_indices_from(gram)] += regularisation
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise ValueError(
            f"the counts of items cannot be inverted ({failed}); raise the regularisation of ease"
        )
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(
            f"the counts of items cannot be inverted ({failed}); raise the regularisation of ease"
        )
    for start in range(0, len(inverse), ROWS_PER_BLOCK):
        stop = start + ROWS_PER_BLOCK
        inverse[start:stop, start:] = inverse[start:, start:stop].T
        own = inverse[start:stop, start:stop]
        own[:] = np.tril(own.T) + np.tril(own.T, -1).T
    result: NDArray[np.float32] = inverse
    return result
