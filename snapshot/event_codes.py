"""Codes of the event kinds, equal to `EventType` in `protos/shopfront/v1/event.proto`."""

from __future__ import annotations

IMPRESSION = 1
VIEW = 2
FAVORITE = 3
CART = 4
PURCHASE = 5
REMOVE_FROM_CART = 6

HISTORY_CODES: dict[str, int] = {
    "impression": IMPRESSION,
    "view": VIEW,
    "favorite": FAVORITE,
    "cart": CART,
    "purchase": PURCHASE,
}
"""Kinds of the events of data sets and histories: what was shown, and interest in it. Models know these."""

EVENT_CODES: dict[str, int] = HISTORY_CODES | {"remove_from_cart": REMOVE_FROM_CART}
"""Kinds that a shop reports.

Removals from the cart are kept apart, in a file of a data set and a record of a shopper: they are no
interest, so nothing that reads events may count them as one.
"""
