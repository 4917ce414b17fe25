"""EASE: a linear autoencoder over items, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evaluation.peer_settings import EaseSettings
from evaluation.peers.past_events import Visits


@dataclass(frozen=True, slots=True)
class Ease:
    """EASE, "Embarrassingly Shallow Autoencoders for Sparse Data" (Steck, WWW 2019).

    An item's score is the weighted sum of the shopper's other items: it does not recommend itself, and every
    item that was ever taken counts 1. taken: CSR float32[U+1, n], over the scored items; scored: int64[n];
    weights: float32[n, n], the diagonal 0; items: N.
    """

    taken: sparse.csr_matrix
    scored: NDArray[np.int64]
    weights: NDArray[np.float32]
    items: int

    @classmethod
    def fit(cls, visits: Visits, settings: EaseSettings) -> Ease:
        """Inverts the item counts of the `max_items` items that most shoppers took."""
        taken = visits.by_shopper(np.ones(len(visits.user)))
        taken.data[:] = 1
        shoppers = np.asarray(taken.sum(axis=0)).ravel()
        best = np.argsort(-shoppers, kind="stable")[: settings.max_items]
        scored = np.sort(best[shoppers[best] > 0])
        taken = taken[:, scored].tocsr()
        gram = np.asarray((taken.T @ taken).todense(), np.float64)
        gram[np.diag_indices_from(gram)] += settings.regularisation
        inverse = np.linalg.inv(gram)
        weights = (-inverse / np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(weights, 0)
        return cls(taken, scored, weights, visits.in_visit.shape[1] - 1)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`; 0 for items that are not scored."""
        scores = np.zeros((len(users), self.items + 1), np.float32)
        scores[:, self.scored] = self.taken[users] @ self.weights
        return scores
