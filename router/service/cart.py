"""What is in a shopper's cart: by the request, or by the cart events in the shopper's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.service.shopper import Shopper
from router.service.validation import MAX_CART_ITEMS
from snapshot.catalogue import Catalogue
from snapshot.event_codes import CART

CART_UNKNOWN = "cart_unknown"
MOST_PIECES = 8
"""More pieces of an item count as so many."""
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart's items that the catalogue knows.

    items    int32[c], distinct, in the order of the request
    weights  float32[c], 1 + log2 of the pieces: 1 for one, 4 for `MOST_PIECES` or more
    unknown  ids that the catalogue lacks
    """

    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    unknown: int


def weighed_cart(catalogue: Catalogue, item_ids: Sequence[str], quantities: Sequence[int]) -> Cart:
    """The cart of a request; an id that comes twice counts as one with the pieces of both.

    `quantities`: as many as ids, not negative, 0 = 1; empty = 1 of each.
    """
    given = catalogue.dense(item_ids)
    pieces = np.maximum(np.asarray(quantities or [1] * len(given), np.float64), 1)
    known = given > 0
    items, first, member = np.unique(given[known], return_index=True, return_inverse=True)
    total = np.minimum(np.bincount(member, weights=pieces[known], minlength=items.size), MOST_PIECES)
    order = np.argsort(first)
    weights = (1 + np.log2(total[order])).astype(np.float32)
    return Cart(items[order].astype(np.int32), weights, int(np.count_nonzero(~known)))


def cart_in_state(shopper: Shopper, now: int, hours: float) -> NDArray[np.int32]:
    """What the shopper put into the cart in the `hours` before `now` and has not bought since.

    Returns:
        int32[c], distinct, newest first, at most `MAX_CART_ITEMS`.
    """
    put = (shopper.history_events == CART) & (shopper.history_ts > now - hours * _HOUR_S)
    items, newest = np.unique(shopper.history_items[put], return_index=True)
    put_at = shopper.history_ts[put][newest]
    bought, last = np.unique(shopper.purchased_items, return_index=True)
    bought_at = np.full(items.size, np.iinfo(np.int64).min)
    _, here, there = np.intersect1d(items, bought, assume_unique=True, return_indices=True)
    bought_at[here] = shopper.purchased_ts[last][there]
    left = bought_at < put_at
    order = np.argsort(newest[left])[:MAX_CART_ITEMS]
    return np.asarray(items[left][order], np.int32)
