"""V-SKNN: what is in the visits, of anybody, that resemble what the shopper took lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evaluation.peer_settings import SessionKnnSettings
from evaluation.peers.past_events import Visits


@dataclass(frozen=True, slots=True)
class SessionKnn:
    """Vector session-based nearest neighbours (Ludewig and Jannach, UMUAI 2018), over visits.

    At the cut the shopper's next visit is still empty, so it is replaced by their items, decayed by the age
    of the latest visit with each. A visit's similarity is the cosine to these; an item's score is the sum
    over the nearest visits that have it, times its rarity.

    recent: CSR float32[U+1, N+1], the decayed items; in_visit: CSR float32[w, N+1], the compared visits, each
    of length 1; rarity: float32[N+1].
    """

    recent: sparse.csr_matrix
    in_visit: sparse.csr_matrix
    rarity: NDArray[np.float32]
    settings: SessionKnnSettings

    @classmethod
    def fit(cls, visits: Visits, settings: SessionKnnSettings) -> SessionKnn:
        """Compares with the newest `recent_visits` visits."""
        newest = np.argsort(visits.age_days, kind="stable")[: settings.recent_visits]
        compared = visits.in_visit[np.sort(newest)]
        count = np.asarray(compared.sum(axis=0), np.float64).ravel()
        inverse = np.log((1 + compared.shape[0]) / (1 + count)) + 1
        length = np.sqrt(np.maximum(np.diff(compared.indptr), 1))
        return cls(
            _latest(visits, settings.half_life_days),
            (sparse.diags(1 / length) @ compared).tocsr().astype(np.float32),
            (inverse**settings.rarity).astype(np.float32),
            settings,
        )

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`."""
        similarity = np.asarray((self.recent[users] @ self.in_visit.T).todense(), np.float32)
        count = min(self.settings.neighbours, similarity.shape[1])
        if not count:
            return np.zeros((len(users), self.recent.shape[1]), np.float32)
        nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        weight = np.take_along_axis(similarity, nearest, axis=1)
        rows = np.repeat(np.arange(len(users)), count)
        chosen = sparse.csr_matrix((weight.ravel(), (rows, nearest.ravel())), shape=similarity.shape)
        found = np.asarray((chosen @ self.in_visit).todense(), np.float32)
        return found * self.rarity


def _latest(visits: Visits, half_life_days: float) -> sparse.csr_matrix:
    """CSR float32[U+1, N+1]: ½ ^ (age of the shopper's latest visit with the item / half-life)."""
    pairs = visits.in_visit.tocoo()
    width = np.int64(visits.in_visit.shape[1])
    key = visits.user[pairs.row].astype(np.int64) * width + pairs.col
    # Visits ascend in time, so that the last of equal keys is the latest.
    order = np.argsort(key, kind="stable")
    last = order[np.r_[key[order][1:] != key[order][:-1], True][: len(order)]]
    weight = (0.5 ** (visits.age_days[pairs.row[last]] / half_life_days)).astype(np.float32)
    return sparse.csr_matrix(
        (weight, (key[last] // width, key[last] % width)), shape=(visits.users + 1, int(width))
    )
