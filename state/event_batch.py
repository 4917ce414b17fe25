"""Checked events on their way into the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapshot.event_codes import CHANGES_CART, IMPRESSION, REMOVE_FROM_CART
from snapshot.item_keys import item_keys
from state.logged_event import LoggedEvent
from state.user_state import scene_tag

_MOST_PIECES = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class EventBatch:
    """n events in order of arrival, with the fields that user state is computed from as columns.

    Attributes:
        rows: the events, as the log stores them.
        item_keys: uint64[n], keys of the rows' item ids.
        events: uint8[n], codes of `snapshot.event_codes` or `state.feedback_codes`.
        timestamps_ms: int64[n], unix milliseconds.
        seen_in: uint32[n], `state.user_state.scene_tag` of the answer in which the item of an impression was
            seen; 0 of other events, and where nothing says which answer it was.
        cart_pieces: int32[n], pieces as in `state.user_state.CartChanges`; meaningless of events that change
            no cart.
    """

    rows: Sequence[LoggedEvent]
    item_keys: NDArray[np.uint64]
    events: NDArray[np.uint8]
    timestamps_ms: NDArray[np.int64]
    seen_in: NDArray[np.uint32]
    cart_pieces: NDArray[np.int32]

    @classmethod
    def of(cls, rows: Sequence[LoggedEvent], scenes: Sequence[str] = ()) -> EventBatch:
        """The batch of these events; `scenes`: of the answer that each is of, "" = unknown; () = all are."""
        n = len(rows)
        return cls(
            rows=rows,
            item_keys=item_keys([row.item_id for row in rows]),
            events=np.fromiter((row.event for row in rows), np.uint8, n),
            timestamps_ms=np.fromiter((row.timestamp_ms for row in rows), np.int64, n),
            seen_in=np.array(
                [
                    scene_tag(scene) if scene and row.event == IMPRESSION else 0
                    for row, scene in zip(rows, scenes or [""] * n, strict=True)
                ],
                np.uint32,
            ),
            cart_pieces=np.fromiter((_cart_pieces(row) for row in rows), np.int32, n),
        )

    @property
    def changes_cart(self) -> NDArray[np.bool_]:
        """bool[n], which events put something into the cart or take it out."""
        return CHANGES_CART[self.events]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.rows)


def _cart_pieces(row: LoggedEvent) -> int:
    """Pieces as `CartChanges` counts them: the router checks quantities, other writers of a log may not."""
    if row.event == REMOVE_FROM_CART:
        return -min(max(row.quantity, 0), _MOST_PIECES)
    return min(max(row.quantity, 1), _MOST_PIECES)
