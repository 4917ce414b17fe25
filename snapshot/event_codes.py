"""Codes of the event kinds, and sets of them by what they mean; all follow from `snapshot.event_kinds`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from snapshot.event_kinds import EVENT_KINDS, Role

IMPRESSION = EVENT_KINDS["impression"].code
VIEW = EVENT_KINDS["view"].code
FAVORITE = EVENT_KINDS["favorite"].code
CART = EVENT_KINDS["cart"].code
PURCHASE = EVENT_KINDS["purchase"].code
REMOVE_FROM_CART = EVENT_KINDS["remove_from_cart"].code


def _of_role(*roles: Role) -> tuple[int, ...]:
    return tuple(kind.code for kind in EVENT_KINDS.values() if kind.role in roles)


def _by_code(codes: Iterable[int]) -> NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[list(codes)] = True
    table.flags.writeable = False
    return table


EVENT_CODES: dict[str, int] = {name: kind.code for name, kind in EVENT_KINDS.items()}
"""Kinds that a shop reports."""
EVENT_NAMES: dict[int, str] = {code: name for name, code in EVENT_CODES.items()}
"""Names by code."""
CONSIDERATION_CODES = _of_role("consideration")
"""Interest short of a purchase."""
INTEREST_CODES = _of_role("consideration", "purchase")
CORRECTION_CODES = _of_role("correction")
"""What is kept apart from the events, in data sets and in records of shoppers: it is no interest."""
HISTORY_CODES: dict[str, int] = {
    name: code for name, code in EVENT_CODES.items() if code not in CORRECTION_CODES
}
"""Kinds of the events of data sets and histories: what was shown, and interest in it. Models know these."""
HISTORY_ROWS = 1 + max(HISTORY_CODES.values())
"""Rows of a model's table by event code, row 0 for padding; a part of every checkpoint."""
CART_CODES = tuple(kind.code for kind in EVENT_KINDS.values() if kind.cart > 0)
"""What puts the item into the cart; `REMOVE_FROM_CART` alone takes it out."""

IS_CONSIDERATION = _by_code(CONSIDERATION_CODES)
"""bool[256] by code; likewise the others."""
IS_CORRECTION = _by_code(CORRECTION_CODES)
IS_EVENT = _by_code(EVENT_NAMES)
IS_HISTORY = _by_code(HISTORY_CODES.values())
PUTS_IN_CART = _by_code(CART_CODES)
CHANGES_CART = _by_code(kind.code for kind in EVENT_KINDS.values() if kind.cart)
EVENT_STRENGTH = np.zeros(256, np.float32)
"""float32[256] by code: the behaviour score of doing it once; 0 where it is no interest."""
EVENT_STRENGTH[list(EVENT_CODES.values())] = [kind.scores.get(1, 0.0) for kind in EVENT_KINDS.values()]
EVENT_STRENGTH.flags.writeable = False
