"""TIFU-KNN: a shopper's decayed visits, mixed with those of the shoppers most like them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evaluation.peer_settings import TifuKnnSettings
from evaluation.peers.past_events import Visits


@dataclass(frozen=True, slots=True)
class TifuKnn:
    """Temporal item frequency with nearest neighbours (Hu et al., SIGIR 2020, arXiv:2006.00556).

    A shopper is the mean over groups of successive visits of the mean over the group's visits, both decayed.
    Neighbours are those at the least Euclidean distance, the shopper apart. vectors: CSR float32[U+1, N+1], a
    row of zeros for a shopper without visits; known: int64[n], the shoppers with some; squares: float32[n],
    their squared lengths.
    """

    vectors: sparse.csr_matrix
    known: NDArray[np.int64]
    squares: NDArray[np.float32]
    settings: TifuKnnSettings

    @classmethod
    def fit(cls, visits: Visits, settings: TifuKnnSettings) -> TifuKnn:
        """The vectors of all shoppers."""
        vectors = visits.by_shopper(visit_weights(visits.user, settings))
        known = np.unique(visits.user).astype(np.int64)
        squares = np.asarray(vectors[known].multiply(vectors[known]).sum(axis=1), np.float32).ravel()
        return cls(vectors, known, squares, settings)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`."""
        own = self.vectors[users]
        count = min(self.settings.neighbours, len(self.known) - 1)
        share = self.settings.own_share
        if count < 1 or share == 1:
            return np.asarray(own.todense(), np.float32)
        distance = self.squares - 2 * np.asarray((own @ self.vectors[self.known].T).todense(), np.float32)
        distance[self.known == users[:, None]] = np.inf
        nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
        rows = np.repeat(np.arange(len(users)), count)
        ones = np.full(rows.size, (1 - share) / count, np.float32)
        chosen = sparse.csr_matrix(
            (ones, (rows, self.known[nearest].ravel())), shape=(len(users), self.vectors.shape[0])
        )
        return np.asarray((share * own + chosen @ self.vectors).todense(), np.float32)


def visit_weights(user: NDArray[np.int32], settings: TifuKnnSettings) -> NDArray[np.float64]:
    """float64[v]: the part of each visit in its shopper's vector; user: int32[v], oldest visit first."""
    _, first, count = np.unique(user, return_index=True, return_counts=True)
    position = np.arange(len(user)) - np.repeat(first, count)
    visits = np.repeat(count, count)
    groups = np.minimum(settings.groups, visits)
    group = position * groups // visits
    # The visits p with p · groups // visits = g are those from ceil(g · visits / groups) on.
    begin = -(-group * visits // groups)
    end = -(-(group + 1) * visits // groups)
    within = settings.within_decay ** (end - 1 - position) / (end - begin)
    weights: NDArray[np.float64] = within * settings.group_decay ** (groups - 1 - group) / groups
    return weights
