"""The contract of a peer, and the pages that its scores make."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

USERS_PER_BLOCK = 128


class Peer(Protocol):
    """A method that scores the whole catalogue for shoppers of the log that it was fitted on."""

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1]: a fresh array of every item's score for each of the shoppers int32[B].

        0 or less says nothing of the item.
        """
        ...


def peer_pages(
    peer: Peer,
    users: NDArray[np.int32],
    popularity: NDArray[np.floating],
    shown: NDArray[np.bool_],
    size: int,
) -> list[NDArray[np.int32]]:
    """Each shopper's page, int32[≤ size], best first; popularity breaks ties and fills up.

    Args:
        peer: scores the items.
        users: int32[s], the shoppers.
        popularity: float[N+1].
        shown: bool[N+1], the items that a page may have; item 0 never is on one.
        size: slots.
    """
    hidden = ~shown
    hidden[0] = True
    by_popularity = np.argsort(-popularity, kind="stable").astype(np.int32)
    # Twice as many as can be missing: as many again may be on the page already.
    fillers = by_popularity[~hidden[by_popularity]][: 2 * size]
    pages = []
    for start in range(0, len(users), USERS_PER_BLOCK):
        scores = peer.scores(users[start : start + USERS_PER_BLOCK])
        scores[:, hidden] = 0
        for row in scores:
            best = _best(row, popularity, size)
            fill = fillers[~np.isin(fillers, best)][: size - len(best)]
            pages.append(np.concatenate((best, fill)))
    return pages


def _best(scores: NDArray[np.float32], popularity: NDArray[np.floating], size: int) -> NDArray[np.int32]:
    """The items of the `size` best scores above 0, int32[≤ size]; equal ones by popularity."""
    at = max(0, len(scores) - size)
    found = np.flatnonzero(scores >= max(np.partition(scores, at)[at], np.finfo(np.float32).tiny))
    order = np.lexsort((-popularity[found], -scores[found]))
    return found[order[:size]].astype(np.int32)
