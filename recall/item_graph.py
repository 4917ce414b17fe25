"""The weighted graph of items that follow each other in sessions, and random walks over it. Offline only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.baskets import Baskets


@dataclass(frozen=True, slots=True)
class ItemGraph:
    """Edges of item i: the places starts[i] to starts[i + 1] − 1 of `target`.

    starts  int64[N + 2]
    target  int32[edges]
    ends    float64[edges], sum of the weights of all edges up to and with this one
    """

    starts: NDArray[np.int64]
    target: NDArray[np.int32]
    ends: NDArray[np.float64]

    @classmethod
    def of(cls, sessions: Baskets, size: int, reach: int, backward_weight: float) -> ItemGraph:
        """The graph over items 1…size: an edge's weight is the sum of 1 / distance over all sessions.

        Items at most `reach` places apart in a session are joined, and against its order by an edge of
        `backward_weight` times as much.
        """
        total = sp.csr_matrix((size + 1, size + 1), dtype=np.float64)
        for distance in range(1, reach + 1):
            first, second = sessions.item[:-distance], sessions.item[distance:]
            together = sessions.basket[:-distance] == sessions.basket[distance:]
            first, second = first[together], second[together]
            weight = np.full(first.size, 1 / distance)
            along = sp.csr_matrix((weight, (first, second)), shape=total.shape)
            total = total + along + backward_weight * along.T.tocsr()
        total.eliminate_zeros()
        return cls(total.indptr.astype(np.int64), total.indices.astype(np.int32), np.cumsum(total.data))

    @property
    def items(self) -> NDArray[np.int64]:
        """int64[m], the items that have edges."""
        return np.flatnonzero(np.diff(self.starts))

    def walks(self, per_item: int, length: int, rng: np.random.Generator) -> NDArray[np.int32]:
        """int32[walks, length]: from every item that has edges, an edge drawn by its weight at each step.

        0 behind an item without edges, where a walk ends.
        """
        at = np.repeat(self.items, per_item)
        walks = np.zeros((at.size, length), np.int32)
        walks[:, 0] = at
        before = np.concatenate(([0.0], self.ends))
        for step in range(1, length):
            begin, end = before[self.starts[at]], before[self.starts[at + 1]]
            drawn = begin + rng.random(at.size) * (end - begin)
            edge = np.searchsorted(self.ends, drawn, side="right")
            # A product may be rounded up to the end of the item's edges.
            edge = np.minimum(edge, self.starts[at + 1] - 1)
            at = np.where(end > begin, self.target[np.maximum(edge, 0)], 0)
            walks[:, step] = at
        return walks


def walk_contexts(
    walks: NDArray[np.int32], window: int, together: int, most: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Items beside each item in walks, at most `window` places away, in both directions.

    Each row has one centre and `together` contexts of it: a centre with n of them has ⌊n / together⌋ rows.

    Returns:
        centres int32[rows] and contexts int32[rows, together], in random order; of more pairs than `most`, so
        many are drawn.
    """
    centre, context = [], []
    for distance in range(1, window + 1):
        first, second = walks[:, :-distance].ravel(), walks[:, distance:].ravel()
        kept = (first > 0) & (second > 0) & (first != second)
        centre += [first[kept], second[kept]]
        context += [second[kept], first[kept]]
    centres, contexts = np.concatenate(centre), np.concatenate(context)
    drawn = rng.permutation(centres.size)[:most]
    drawn = drawn[np.argsort(centres[drawn], kind="stable")]
    centres, contexts = centres[drawn], contexts[drawn]
    count = np.bincount(centres)
    nth = np.arange(centres.size) - (np.cumsum(count) - count)[centres]
    whole = nth < (count // together * together)[centres]
    rows = rng.permutation(int(whole.sum()) // together)
    return (
        centres[whole].reshape(-1, together)[rows, 0],
        contexts[whole].reshape(-1, together)[rows],
    )
