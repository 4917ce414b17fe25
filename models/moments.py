"""Real shoppers at real moments, from which a model's inputs are made offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.history import encode_history_batch

if TYPE_CHECKING:
    from models.interaction_log import InteractionLog
    from snapshot.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Moments:
    """B shoppers, each at one moment, and n candidates, each naming the row of its shopper.

    log: the data set's events; catalogue: its items. user: int64[B], 1…U; now: int64[B], unix seconds;
    history_start, history_end: int64[B], half-open slices of `log.behaviours`, all of it before `now`.
    candidate_item, candidate_row: int32[n]; n is 0 for models that score no candidates.
    """

    log: InteractionLog
    catalogue: Catalogue
    user: NDArray[np.int64]
    now: NDArray[np.int64]
    history_start: NDArray[np.int64]
    history_end: NDArray[np.int64]
    candidate_item: NDArray[np.int32]
    candidate_row: NDArray[np.int32]

    def history(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Item, event and age of the newest behaviours, int32[B, 50] each, as serving encodes them."""
        events = self.log.behaviours
        return encode_history_batch(
            events.item, events.event, events.ts, self.history_start, self.history_end, self.now
        )
