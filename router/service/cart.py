"""What is in a shopper's cart, by the request or by events in the state, and what was taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.limits import MAX_CART_ITEMS
from router.service.shopper import Shopper
from snapshot.catalogue import Catalogue
from state.cart import contents

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
    total = np.bincount(member, weights=pieces[known], minlength=items.size)
    order = np.argsort(first)
    return Cart(items[order].astype(np.int32), _weights(total[order]), int(np.count_nonzero(~known)))


def cart_in_state(shopper: Shopper, now: int, hours: float) -> Cart:
    """What the shopper put into the cart in the `hours` before `now` and neither took out nor bought since.

    The items put in last come first, at most `MAX_CART_ITEMS`; pieces weigh as in `weighed_cart`.
    """
    found = contents(shopper.cart_changes, shopper.purchases, now - hours * _HOUR_S)
    items, pieces = found.items[:MAX_CART_ITEMS], found.pieces[:MAX_CART_ITEMS]
    return Cart(items, _weights(pieces), 0)


def just_taken_out(shopper: Shopper, now: int, hours: float) -> NDArray[np.int32]:
    """int32[r], distinct: what the shopper took out of the cart in the `hours` before `now`."""
    removed = shopper.taken_out
    return np.asarray(removed.items[removed.ts > now - hours * _HOUR_S], np.int32)


def _weights(pieces: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(1 + np.log2(np.minimum(pieces, MOST_PIECES)), np.float32)
