"""Ease's offline side: the weights in closed form, in single precision and in place."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from recall.channel import BuildSource, NothingToRecall
from recall.ease_settings import EaseChannelSettings
from recall.interactions import interactions_of
from recall.lists import ItemLists, best_of_each_row, ranked_lists

ROWS_PER_BLOCK = 512


def item_weights(source: BuildSource, settings: EaseChannelSettings) -> ItemLists:
    """The largest positive weights from each item 1…N to items in stock; row 0 is empty.

    Raises NothingToRecall where no shopper took two of the items.
    """
    taken = interactions_of(source).latest_of_each_user(settings.items_per_user)
    size = source.catalogue.size
    shoppers = np.bincount(taken.item, minlength=size + 1)
    scored = np.sort(np.argsort(-shoppers, kind="stable")[: settings.max_items])
    scored = scored[shoppers[scored] > 0]
    number = np.full(size + 1, -1)
    number[scored] = np.arange(len(scored))
    row, column = taken.user, number[taken.item]
    known = column >= 0
    matrix = sp.csr_matrix(
        (np.ones(int(known.sum()), np.float32), (row[known], column[known])),
        shape=(int(row.max(initial=0)) + 1, len(scored)),
    )
    counts = (matrix.T @ matrix).tocsr()
    if counts.nnz <= len(scored):
        raise NothingToRecall("no shopper of the log took two items")
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
