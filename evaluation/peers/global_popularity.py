"""What everybody takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class GlobalPopularity:
    """The same page for everybody. popularity: float[N+1]."""

    popularity: NDArray[np.floating]

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`."""
        return np.tile(self.popularity.astype(np.float32), (len(users), 1))
