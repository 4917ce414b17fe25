"""Codes of the five event types, equal to `EventType` in `protos/shopfront/v1/event.proto`."""

from __future__ import annotations

IMPRESSION = 1
VIEW = 2
FAVORITE = 3
CART = 4
PURCHASE = 5

EVENT_CODES: dict[str, int] = {
    "impression": IMPRESSION,
    "view": VIEW,
    "favorite": FAVORITE,
    "cart": CART,
    "purchase": PURCHASE,
}
