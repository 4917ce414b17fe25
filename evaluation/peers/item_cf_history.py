"""Item-CF over a shopper's whole history, not only the events that a model sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.baselines import ItemCf
from evaluation.peers.past_events import PastEvents


@dataclass(frozen=True, slots=True)
class ItemCfHistory:
    """Scores of `ItemCf` from all that the shopper did before the cut."""

    item_cf: ItemCf
    past: PastEvents

    @classmethod
    def of(cls, item_cf: ItemCf, past: PastEvents, half_life_days: float) -> ItemCfHistory:
        """The fitted baseline with another half-life of the asked shopper's history, days."""
        settings = item_cf.settings.model_copy(update={"history_half_life_days": half_life_days})
        return cls(replace(item_cf, settings=settings), past)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`."""
        events = [np.arange(self.past.offsets[user], self.past.offsets[user + 1]) for user in users]
        offsets = np.r_[0, np.cumsum([len(each) for each in events])]
        at = np.concatenate(events)
        now = np.full(len(users), self.past.now)
        return self.item_cf.scores(self.past.item[at], self.past.ts[at], offsets, now).astype(np.float32)
