"""The one list of an event's fields: names, types, defaults, and their order in the log.

`event_batch` and `event_log` work on `LoggedEvent`s, and `router.events.check` fills one from the message
`Event` of `protos/shopfront/v1/event.proto`. A new field is added at the end, with a default: entries written
before it then still decode.
"""

from __future__ import annotations

import msgspec


class LoggedRating(msgspec.Struct, frozen=True, array_like=True):
    """What a shopper said beside an item: rating 1…5 by dimension, reasons, and a free text."""

    ratings: dict[str, int]
    reasons: list[str]
    comment: str = ""


class LoggedEvent(msgspec.Struct, frozen=True, array_like=True):
    """One event as it was accepted; external ids, times in unix milliseconds.

    `event` is an `EventType` code or one of `state.feedback_codes`; `rating` belongs to the code RATED.
    `quantity` counts pieces; 0 of a removal from the cart: all of them.
    """

    user_id: str
    item_id: str
    event: int
    timestamp_ms: int
    arrived_ms: int
    scene: str = ""
    position: int = 0
    attribution_token: str = ""
    quantity: int = 1
    price: float = 0.0
    query: str = ""
    event_id: str = ""
    session_id: str = ""
    rating: LoggedRating | None = None
