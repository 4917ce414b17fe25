"""Baselines every model must beat: popularity and item-based collaborative filtering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from evaluation.settings import BasketKnnSettings, ItemCfSettings
from models.interaction_log import EventColumns, InteractionLog
from recall.baskets import Baskets

DAY = 86_400.0


def popularity_scores(behaviours: EventColumns, items: int, before: int) -> np.ndarray:
    """float64[N+1]: distinct shoppers of each item strictly before `before` (unix seconds)."""
    early = behaviours.ts < before
    pairs = np.unique(behaviours.user[early].astype(np.int64) * (items + 1) + behaviours.item[early])
    return np.bincount(pairs % (items + 1), minlength=items + 1).astype(np.float64)


@dataclass(frozen=True, slots=True)
class ItemCf:
    """Item-based CF with time decay (Sarwar et al. 2001, WWW; cosine, shrunk) and category back-off.

    Two items go together where one shopper takes both within a window; a window counts less the older it is,
    and less the more items it holds (inverse user frequency, Breese et al. 1998). The same is counted between
    categories, for items too rare to have neighbours. similarity: CSR float32[N+1, N+1] with the diagonal 1,
    so that an item taken before recommends itself; category_similarity: likewise float32[C+1, C+1];
    categories: int32[N+1]; popularity: float64[N+1].
    """

    settings: ItemCfSettings
    similarity: sparse.csr_matrix
    category_similarity: sparse.csr_matrix
    categories: np.ndarray
    popularity: np.ndarray

    @classmethod
    def fit(cls, log: InteractionLog, before: int, settings: ItemCfSettings) -> ItemCf:
        """Counts similarities in the behaviours strictly before `before` (unix seconds)."""
        items = log.behaviours.item
        return cls(
            settings,
            _similarity(log.behaviours, items, log.items + 1, before, settings),
            _similarity(
                log.behaviours, log.categories[items], int(log.categories.max()) + 1, before, settings
            ),
            log.categories,
            popularity_scores(log.behaviours, log.items, before),
        )

    def scores(self, items: np.ndarray, ts: np.ndarray, offsets: np.ndarray, now: np.ndarray) -> np.ndarray:
        """float32[B, N+1]: every item's score for each history; column 0 is 0.

        items: int32[h], ts: int64[h], flat histories; offsets: int64[B+1]; now: int64[B]. Popularity breaks
        ties and orders what the history says nothing about, below everything it speaks for.
        """
        owner = np.repeat(np.arange(len(now)), np.diff(offsets))
        age_days = (now[owner] - ts) / DAY
        weight = (0.5 ** (age_days / self.settings.history_half_life_days)).astype(np.float32)
        dense = _spread(weight, owner, items, len(now), self.similarity)
        related = _spread(weight, owner, self.categories[items], len(now), self.category_similarity)
        related[:, 0] = 0
        dense += np.float32(self.settings.category_weight) * related[:, self.categories]
        dense += (1e-6 * self.popularity / max(1.0, self.popularity.max())).astype(np.float32)
        dense[:, 0] = 0
        return dense


def _spread(
    weight: np.ndarray, owner: np.ndarray, codes: np.ndarray, rows: int, similarity: sparse.csr_matrix
) -> np.ndarray:
    """float32[rows, codes]: weighted sums of the similarities of each row's codes."""
    history = sparse.csr_matrix((weight, (owner, codes)), shape=(rows, similarity.shape[0]))
    return np.asarray((history @ similarity).todense(), dtype=np.float32)


def _similarity(
    behaviours: EventColumns, codes: np.ndarray, size: int, before: int, settings: ItemCfSettings
) -> sparse.csr_matrix:
    """Decayed, shrunk cosine between codes (int[e], one for each behaviour): CSR float32[size, size]."""
    early = np.flatnonzero(behaviours.ts < before)
    window = ((before - behaviours.ts[early]) / (settings.window_hours * 3600)).astype(np.int64)
    windows = int(window.max(initial=0)) + 1
    baskets, row = np.unique(behaviours.user[early].astype(np.int64) * windows + window, return_inverse=True)
    matrix = sparse.csr_matrix(
        (np.ones(len(early), np.float32), (row, codes[early])), shape=(len(baskets), size)
    )
    matrix.data[:] = 1
    age_days = (baskets % windows) * settings.window_hours / 24
    weight = 0.5 ** (age_days / settings.half_life_days) / np.log2(1 + np.diff(matrix.indptr))
    weighted = (sparse.diags(np.sqrt(weight)) @ matrix).tocsr().astype(np.float32)
    return _cosine(weighted, settings)


def _cosine(weighted: sparse.csr_matrix, settings: ItemCfSettings) -> sparse.csr_matrix:
    """Shrunk cosine of columns, the best neighbours of each, the diagonal 1; computed in blocks of items."""
    columns = weighted.tocsc()
    by_item = columns.T.tocsr()
    norm = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=0)).ravel())
    items = by_item.shape[0]
    blocks = []
    for start in range(0, items, 2048):
        rows = slice(start, min(start + 2048, items))
        block = (by_item[rows] @ weighted).tocsr()
        row = np.repeat(np.arange(rows.start, rows.stop), np.diff(block.indptr))
        block.data /= norm[row] * norm[block.indices] + settings.shrinkage
        block.data[row == block.indices] = 0
        blocks.append(_best_of_rows(block, settings.neighbours))
    best = sparse.vstack(blocks).tocsr()
    return (best + sparse.diags(np.ones(items, np.float32))).tocsr().astype(np.float32)


def _best_of_rows(matrix: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    rank = np.arange(len(row)) - matrix.indptr[row]
    kept = order[(rank < count) & (matrix.data[order] > 0)]
    return sparse.csr_matrix((matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape)


@dataclass(frozen=True, slots=True)
class BasketKnn:
    """Item-KNN over baskets: shared baskets / (baskets of the target + shrinkage)^exponent.

    An exponent of 0.5 is the order of a cosine; a smaller one lets bestsellers lead. in_basket: CSR
    float32[B, N+1], ones; by_item: the same by item; counts: float64[N+1].
    """

    in_basket: sparse.csr_matrix
    by_item: sparse.csr_matrix
    counts: np.ndarray
    settings: BasketKnnSettings

    @classmethod
    def fit(cls, baskets: Baskets, items: int, settings: BasketKnnSettings) -> BasketKnn:
        """Over the baskets given, for the items 1…items."""
        in_basket = sparse.csr_matrix(
            (np.ones(len(baskets.item), np.float32), (baskets.basket, baskets.item)),
            shape=(len(baskets.user), items + 1),
        )
        counts = baskets.counts(items).astype(np.float64)
        return cls(in_basket, in_basket.T.tocsr(), counts, settings)

    def scores(self, item: int) -> np.ndarray:
        """float64[N+1]: every item's score beside this one."""
        shared = np.asarray((self.by_item[item] @ self.in_basket).todense(), np.float64).ravel()
        return shared / (self.counts + self.settings.shrinkage) ** self.settings.exponent

    def cart_scores(self, items: np.ndarray) -> np.ndarray:
        """float64[N+1]: every item's score beside these, int32[c]: a weighted sum."""
        weights = (self.counts[items] + self.settings.shrinkage) ** -self.settings.cart_exponent
        total = np.zeros_like(self.counts)
        for weight, item in zip(weights, items, strict=True):
            total += weight * self.scores(int(item))
        return total
