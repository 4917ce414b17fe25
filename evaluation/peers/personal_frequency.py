"""What the shopper took most often."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evaluation.peers.past_events import Visits


@dataclass(frozen=True, slots=True)
class PersonalFrequency:
    """The number of a shopper's visits with the item, by age.

    Without decay and followed by the global frequency, which `peer_pages` adds, it is GP-TopFreq (Li et al.,
    "A Next Basket Recommendation Reality Check", TOIS 2023). counts: CSR float32[U+1, N+1].
    """

    counts: sparse.csr_matrix

    @classmethod
    def fit(cls, visits: Visits, half_life_days: float = math.inf) -> PersonalFrequency:
        """A visit counts half after `half_life_days`; infinite: every visit counts alike."""
        return cls(visits.by_shopper(0.5 ** (visits.age_days / half_life_days)))

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`."""
        return np.asarray(self.counts[users].todense(), np.float32)
