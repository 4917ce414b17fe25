"""What is known of one user, in columns, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType

import numpy as np


def _empty(dtype: type[np.generic]) -> np.ndarray:
    column = np.empty(0, dtype=dtype)
    column.flags.writeable = False
    return column


NO_KEYS = _empty(np.uint64)
NO_TIMES = _empty(np.int64)
NO_EVENTS = _empty(np.uint8)
NO_PROFILE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Behaviours:
    """What a shopper did out of interest (viewed, bought, …), or said, newest first.

    `items` uint64[n] item keys, `events` uint8[n] `snapshot.event_codes.INTEREST_CODES` or codes of
    `state.feedback_codes`, `ts` int64[n] unix seconds.
    """

    items: np.ndarray
    events: np.ndarray
    ts: np.ndarray


@dataclass(frozen=True, slots=True)
class TimedItems:
    """Purchases or impressions, newest first: `items` uint64[n] item keys, `ts` int64[n] unix seconds."""

    items: np.ndarray
    ts: np.ndarray


@dataclass(frozen=True, slots=True)
class CartChanges:
    """What was put into the cart and taken out of it, newest first.

    `items` uint64[n] item keys, `pieces` int32[n]: above 0 put in, below 0 taken out, 0 = all taken out; `ts`
    int64[n] unix seconds.
    """

    items: np.ndarray
    pieces: np.ndarray
    ts: np.ndarray


@dataclass(frozen=True, slots=True)
class SeenItems:
    """What the shopper's client reported as seen, newest first.

    `items` uint64[n] item keys, `scenes` uint32[n] of `scene_tag`, `ts` int64[n] unix seconds.
    """

    items: np.ndarray
    scenes: np.ndarray
    ts: np.ndarray


def scene_tag(scene: str) -> int:
    """Four bytes of the BLAKE2b of a scene's name, above 0: the scene of a seen item."""
    return int.from_bytes(blake2b(scene.encode(), digest_size=4).digest(), "big") or 1


NO_BEHAVIOURS = Behaviours(NO_KEYS, NO_EVENTS, NO_TIMES)
NO_CART_CHANGES = CartChanges(NO_KEYS, _empty(np.int32), NO_TIMES)
NO_ITEMS = TimedItems(NO_KEYS, NO_TIMES)
NO_SEEN = SeenItems(NO_KEYS, _empty(np.uint32), NO_TIMES)


@dataclass(frozen=True, slots=True)
class UserState:
    """All that is kept of one user; empty for a user never seen. The arrays are read-only.

    `feedback` is what the user said of items, `surveys` when the user was asked or rated; the items of
    `surveys` are meaningless where a rating was of no item. `impressions` were served or reported, `seen`
    were reported with the attribution token of the answer that showed them. `cart_changes` has every event
    of `behaviours` that put something into the cart, with its pieces, and the removals, which are no
    behaviours.
    """

    behaviours: Behaviours = NO_BEHAVIOURS
    purchases: TimedItems = NO_ITEMS
    impressions: TimedItems = NO_ITEMS
    profile: Mapping[str, str] = field(default_factory=lambda: NO_PROFILE)
    feedback: Behaviours = NO_BEHAVIOURS
    surveys: Behaviours = NO_BEHAVIOURS
    seen: SeenItems = NO_SEEN
    cart_changes: CartChanges = NO_CART_CHANGES


EMPTY_STATE = UserState()
