"""What shoppers did before a cut, as events and as visits: what peers are fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.interaction_log import InteractionLog

DAY = 86_400


@dataclass(frozen=True, slots=True)
class PastEvents:
    """Behaviours (no impressions) before `now`, sorted by user and time.

    user, item: int32[e]; ts: int64[e], unix seconds; offsets: int64[U+2], the events of user u are
    offsets[u]…offsets[u+1] (user 0 has none); items: N; now: unix seconds.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    ts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    items: int
    now: int

    @classmethod
    def before(cls, log: InteractionLog, now: int) -> PastEvents:
        """Those of the log strictly before `now`."""
        behaviours = log.behaviours
        early = np.flatnonzero(behaviours.ts < now)
        user = behaviours.user[early]
        return cls(
            user=user,
            item=behaviours.item[early],
            ts=behaviours.ts[early],
            offsets=np.searchsorted(user, np.arange(len(behaviours.offsets))),
            items=log.items,
            now=now,
        )

    @property
    def users(self) -> int:
        """U."""
        return len(self.offsets) - 2

    def items_of(self, user: int) -> NDArray[np.int32]:
        """The shopper's items, int32[h], oldest first, one taken again as often."""
        return self.item[self.offsets[user] : self.offsets[user + 1]]


@dataclass(frozen=True, slots=True)
class Visits:
    """Each shopper's days with events, sorted by user and day.

    A visit holds the distinct items of one shopper on one day (UTC). user: int32[v]; age_days: float64[v], at
    the cut, from the middle of the day; in_visit: CSR float32[v, N+1], ones; users: U.
    """

    user: NDArray[np.int32]
    age_days: NDArray[np.float64]
    in_visit: sparse.csr_matrix
    users: int

    @classmethod
    def of(cls, past: PastEvents) -> Visits:
        """The visits before the cut."""
        day = past.ts // DAY
        starts = np.r_[True, (np.diff(past.user) != 0) | (np.diff(day) != 0)][: len(day)]
        first = np.flatnonzero(starts)
        visit = np.cumsum(starts) - 1
        in_visit = sparse.csr_matrix(
            (np.ones(len(visit), np.float32), (visit, past.item)), shape=(len(first), past.items + 1)
        )
        in_visit.sum_duplicates()
        in_visit.data[:] = 1
        age = np.maximum(past.now / DAY - (day[first] + 0.5), 0.0)
        return cls(past.user[first], age, in_visit, past.users)

    def by_shopper(self, weight: NDArray[np.floating]) -> sparse.csr_matrix:
        """CSR float32[U+1, N+1]: the sum of the weights, float[v], of a shopper's visits with an item."""
        columns = np.arange(len(self.user))
        owner = sparse.csr_matrix(
            (weight.astype(np.float32), (self.user, columns)), shape=(self.users + 1, len(self.user))
        )
        return (owner @ self.in_visit).tocsr()

    def popularity(self, half_life_days: float) -> NDArray[np.float64]:
        """float64[N+1]: an item's visits, each worth half after so many days."""
        weight = 0.5 ** (self.age_days / half_life_days)
        return np.asarray(weight @ self.in_visit, np.float64).ravel()
