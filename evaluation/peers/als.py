"""Implicit ALS: factors of shoppers and items whose products tell who takes what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.peer_settings import AlsSettings
from evaluation.peers.past_events import Visits

LIBRARY = "implicit"
"""Of the extra `factorisation`."""


@dataclass(frozen=True, slots=True)
class Als:
    """Alternating least squares for implicit feedback (Hu, Koren and Volinsky, ICDM 2008).

    shoppers: float32[U+1, D]; items: float32[N+1, D]; both zero where nothing is known.
    """

    shoppers: NDArray[np.float32]
    items: NDArray[np.float32]

    @classmethod
    def fit(cls, visits: Visits, settings: AlsSettings, seed: int) -> Als:
        """Factors by the library `implicit`; a shopper's confidence in an item is 1 + α · log(1 + visits).

        Visits are decayed by their age. Raises ImportError where the library is not installed.
        """
        from implicit.cpu.als import AlternatingLeastSquares

        taken = visits.by_shopper(0.5 ** (visits.age_days / settings.half_life_days))
        np.log1p(taken.data, out=taken.data)
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularisation,
            alpha=settings.confidence,
            iterations=settings.iterations,
            num_threads=1,
            random_state=seed,
        )
        model.fit(taken, show_progress=False)
        shoppers = np.array(model.user_factors, np.float32)
        items = np.array(model.item_factors, np.float32)
        shoppers[np.diff(taken.indptr) == 0] = 0
        items[np.asarray(taken.sum(axis=0)).ravel() == 0] = 0
        return cls(shoppers, items)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`."""
        return np.asarray(self.shoppers[users] @ self.items.T, np.float32)
