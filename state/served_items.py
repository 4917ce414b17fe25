"""Items served to a user, on their way into the user's impressions."""

from dataclasses import dataclass

import numpy as np

from state.user_state import TimedItems


@dataclass(frozen=True, slots=True)
class ServedItems:
    """Item keys uint64[n] served to a user at unix second `ts`."""

    user_id: str
    keys: np.ndarray
    ts: int

    def rows(self) -> TimedItems:
        """The items as rows of the user's impressions."""
        return TimedItems(self.keys, np.full(len(self.keys), self.ts, dtype=np.int64))
