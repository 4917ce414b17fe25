"""The page cursor: what the pages before have shown, carried by the caller from page to page.

It holds the first 40 bits of each shown item's key, which outlive snapshots, so it needs no memory of the
router's and no page repeats an item. An item that was never shown is taken for one of `n` shown ones with a
probability of n / 2^40: 4e-10 for 400.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from snapshot.catalogue import Catalogue
from state.attribution_scope import shopper_tag
from state.errors import CursorError, TokenError
from state.token_seal import TokenSeal

MAX_CURSOR_BYTES = 8_192
MOST_SHOWN = 1_000
VALID_S = 86_400
MAX_AHEAD_S = 300
_PURPOSE = b"page cursor"
_KEY_BYTES = 5
_DROPPED_BITS = np.uint64(8 * (8 - _KEY_BYTES))


class PageCursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Whose pages of what, and what they showed.

    `shopper` and `about` are tags of the shopper's id and of the item or picture that the pages are about, as
    `state.attribution_scope` makes them, empty where there is none; `issued_at` is in unix seconds; `shown`
    is 5 bytes per item.
    """

    scene: str
    shopper: bytes
    about: bytes
    issued_at: int
    shown: bytes

    @property
    def count(self) -> int:
        """Number of items shown."""
        return len(self.shown) // _KEY_BYTES

    def items(self, catalogue: Catalogue) -> NDArray[np.int32]:
        """Dense items of those shown that the catalogue has, int32[m]."""
        if not self.shown:
            return np.empty(0, np.int32)
        begin = _keys_of(self.shown)
        first = np.searchsorted(catalogue.keys, begin)
        last = np.searchsorted(
            catalogue.keys, begin | ((np.uint64(1) << _DROPPED_BITS) - np.uint64(1)), "right"
        )
        counts = last - first
        at = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        return np.asarray(catalogue.key_items[at])

    def followed_by(self, keys: NDArray[np.uint64], now: int) -> PageCursor:
        """The cursor after a page of items with these keys, uint64[n], at unix second `now`."""
        return msgspec.structs.replace(self, shown=self.shown + _bytes_of(keys), issued_at=now)


class PageCursorCodec:
    """Writes and reads cursors."""

    def __init__(self, seal: TokenSeal) -> None:
        """`seal`: of the router's tokens."""
        self._seal = seal.for_purpose(_PURPOSE)
        self._decoder = msgspec.msgpack.Decoder(PageCursor)

    def encode(self, cursor: PageCursor) -> str:
        """The text, at most `MAX_CURSOR_BYTES` ASCII characters for at most `MOST_SHOWN` items."""
        return self._seal.seal(msgspec.msgpack.encode(cursor))

    def decode(self, text: str, first: PageCursor) -> PageCursor:
        """The cursor of a text, where it follows `first`: of the same shopper, scene, and item or picture.

        Raises:
            CursorError: it is malformed, forged, expired, or of other pages.
        """
        try:
            body = self._seal.open(text, MAX_CURSOR_BYTES)
        except TokenError as error:
            raise CursorError(str(error)) from None
        try:
            cursor = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise CursorError("its fields are not those of a cursor") from None
        if len(cursor.shown) % _KEY_BYTES or cursor.count > MOST_SHOWN:
            raise CursorError("it does not hold what a page shows")
        if cursor.scene != first.scene:
            raise CursorError("it was issued for another scene")
        if cursor.shopper != first.shopper:
            raise CursorError("it was issued to another shopper")
        if cursor.about != first.about:
            raise CursorError("it was issued for pages about another item or picture")
        age = first.issued_at - cursor.issued_at
        if age > VALID_S:
            raise CursorError("it has expired; ask for the first page again")
        if age < -MAX_AHEAD_S:
            raise CursorError(f"it was issued {-age} s ahead of this router's clock; set the routers' clocks")
        return cursor


def first_page(scene: str, user_id: str, about: str, now: int) -> PageCursor:
    """The cursor of a scene's first page for a shopper; unix second `now`.

    `user_id` and `about`, the id of an item or the name of a picture, are empty where there is none.
    """
    return PageCursor(scene, shopper_tag(user_id), shopper_tag(about), now, b"")


def _bytes_of(keys: NDArray[np.uint64]) -> bytes:
    columns = keys.astype(">u8").view(np.uint8).reshape(-1, 8)
    return columns[:, :_KEY_BYTES].tobytes()


def _keys_of(shown: bytes) -> NDArray[np.uint64]:
    """The least key of each, uint64[n]."""
    keys = np.zeros((len(shown) // _KEY_BYTES, 8), np.uint8)
    keys[:, :_KEY_BYTES] = np.frombuffer(shown, np.uint8).reshape(-1, _KEY_BYTES)
    return keys.view(">u8").ravel().astype(np.uint64)
