"""What a shopper's cart contains, and what was taken out of it, by the changes kept of it.

Of each item it contains what was put in less what was taken out, in the order of time and never below 0; a
removal that names no pieces, and a purchase, empty it. With the newest change first, c₁, c₂, …, and −∞ for a
change that empties, that is max(0, maxₖ Σ_{i ≤ k} cᵢ): the largest sum of the newest changes (Lindley's
recursion, "The theory of queues with a single server", 1952, unrolled). So it does not depend on the order of
arrival, except that of changes at the same second, and nothing but the changes has to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from state.user_state import CartChanges, TimedItems

_ALL = -(1 << 40)
"""Pieces that a change without a number takes out: more than all that a record can put in."""
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class CartContents:
    """The items of a cart, those put in last first.

    `items` [c], distinct, of the dtype of the changes; `pieces` int64[c], above 0.
    """

    items: np.ndarray
    pieces: NDArray[np.int64]


def contents(changes: CartChanges, purchases: TimedItems, since: float) -> CartContents:
    """What the cart contains of what was put in after unix second `since`.

    `purchases`: newest first; what was bought at the second at which it was put in, or later, is not in it.
    """
    kept = changes.ts > _last_time(purchases, changes.items)
    kept &= (changes.ts > since) | (changes.pieces <= 0)
    items, pieces, put = changes.items[kept], changes.pieces[kept], changes.pieces[kept] > 0
    distinct, left = _levels(items, pieces)
    first_put = np.full(distinct.size, items.size)
    np.minimum.at(first_put, np.searchsorted(distinct, items[put]), np.flatnonzero(put))
    order = np.argsort(first_put, kind="stable")
    order = order[left[order] > 0]
    return CartContents(distinct[order], left[order])


def taken_out(changes: CartChanges, purchases: TimedItems) -> TimedItems:
    """The items of which the newest removal left none, with its time, newest first.

    `purchases` as for `contents`. An item that was put in again is among them.
    """
    removed = np.flatnonzero(changes.pieces <= 0)
    if not removed.size:
        return TimedItems(changes.items[:0], changes.ts[:0])
    of_removed, newest = np.unique(changes.items[removed], return_index=True)
    newest = removed[newest]
    there, place = _places(changes.items, of_removed)
    until = there & (np.arange(changes.items.size) >= newest[place])
    there, place = _places(purchases.items, of_removed)
    before = there & (purchases.ts <= changes.ts[newest][place])
    bought = TimedItems(purchases.items[before], purchases.ts[before])
    until &= changes.ts > _last_time(bought, changes.items)
    until[newest] = True
    # Every item of `of_removed` has its newest removal, so both are the same items in the same order.
    _, left = _levels(changes.items[until], changes.pieces[until])
    rows = np.sort(newest[left == 0])
    return TimedItems(changes.items[rows], changes.ts[rows])


def _last_time(rows: TimedItems, items: np.ndarray) -> NDArray[np.int64]:
    """int64[n]: the newest time of each of the items among `rows`; the smallest number where it has none."""
    if not rows.items.size:
        return np.full(items.size, _NEVER)
    distinct, first = np.unique(rows.items, return_index=True)
    there, place = _places(items, distinct)
    return np.where(there, rows.ts[first][place], _NEVER)


def _places(items: np.ndarray, distinct: np.ndarray) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Whether each item is among the distinct ascending ones, of which there are some, and where."""
    place = np.minimum(np.searchsorted(distinct, items), distinct.size - 1)
    return distinct[place] == items, place


def _levels(items: np.ndarray, pieces: NDArray[np.int32]) -> tuple[np.ndarray, NDArray[np.int64]]:
    """The distinct items, ascending, and the pieces left of each after changes that are newest first."""
    if not items.size:
        return items, np.zeros(0, np.int64)
    order = np.argsort(items, kind="stable")
    items, change = items[order], pieces[order].astype(np.int64)
    change[change == 0] = _ALL
    starts = np.flatnonzero(np.concatenate(([True], items[1:] != items[:-1])))
    sums = np.cumsum(change)
    before = np.repeat(sums[starts] - change[starts], np.diff(np.append(starts, items.size)))
    return items[starts], np.maximum(np.maximum.reduceat(sums - before, starts), 0)
