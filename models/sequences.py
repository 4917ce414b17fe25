"""Stretches of shoppers' behaviours, and what each place of them is to predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.history import HISTORY_LENGTH
from models.interaction_log import EventColumns

_POOL = 16


@dataclass(frozen=True, slots=True)
class Sequences:
    """Half-open stretches of the log's behaviours that are read from their end.

    start, end: int64[S], at most `HISTORY_LENGTH` apart; every behaviour that has a later one of its shopper
    before the cut lies in exactly one stretch. reach: int64[e], the last behaviour that may be the target of
    each one, itself where it has none. same_moment: bool[e], whether the next one happened at the same time.
    """

    start: np.ndarray
    end: np.ndarray
    reach: np.ndarray
    same_moment: np.ndarray

    def __len__(self) -> int:
        """Number of stretches."""
        return len(self.start)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """int64[m, L]: positions in the log of the given stretches (int[m]), newest first, −1 = padding.

        L is the longest of them.
        """
        start, end = self.start[rows], self.end[rows]
        length = int((end - start).max())
        places = end[:, None] - 1 - np.arange(length)
        return np.where(places >= start[:, None], places, -1)

    def batches(self, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """All stretches once, int[m ≤ size] each, in random order.

        Of every `_POOL` batches drawn together, each holds stretches of about one length, since a batch costs
        what its longest one costs.
        """
        order = rng.permutation(len(self))
        length = (self.end - self.start)[order]
        pool = np.arange(len(order)) // (_POOL * size)
        order = order[np.lexsort((length, pool))]
        batches = [order[first : first + size] for first in range(0, len(order), size)]
        return [batches[at] for at in rng.permutation(len(batches))]

    def draw_targets(self, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """int64 of the places' shape: for each place a later one that it may predict, each alike; −1 = none.

        A place's targets are the next behaviour and what follows within the horizon of `sequences_before`.
        """
        last = self.reach[places]
        ahead = last - places
        drawn = places + 1 + (rng.random(places.shape) * ahead).astype(np.int64)
        return np.where((places >= 0) & (ahead > 0), np.minimum(drawn, last), -1)


def sequences_before(behaviours: EventColumns, until: int, horizon: int) -> Sequences:
    """The stretches of everything before unix second `until`.

    Targets of a behaviour are the next one of its shopper, and those up to `horizon` seconds after that one.
    """
    user, ts = behaviours.user, behaviours.ts
    users = np.arange(len(behaviours.offsets) - 1)
    first = behaviours.offsets[:-1]
    last = behaviours.position_before(users, np.full(len(users), until))
    last = np.clip(last, first, behaviours.offsets[1:])

    place = np.arange(len(behaviours))
    following = np.minimum(place + 1, len(behaviours) - 1)
    has_next = place + 1 < last[user]
    reach = behaviours.position_before(user, ts[following] + horizon + 1) - 1
    reach = np.where(has_next, np.minimum(reach, last[user] - 1), place)
    same_moment = has_next & (ts[following] == ts)

    # The last behaviour of a shopper is a target alone. Stretches are cut from the end on.
    inputs = np.maximum(last - first - 1, 0)
    count = -(-inputs // HISTORY_LENGTH)
    owner = np.repeat(users, count)
    rank = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    end = first[owner] + inputs[owner] - rank * HISTORY_LENGTH
    start = np.maximum(end - HISTORY_LENGTH, first[owner])
    return Sequences(start, end, reach, same_moment)
