"""For whom and of which items an answer was made, in the few bytes for which a token has room."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapshot.item_keys import item_key

_TAG_BYTES = 8
_SHOPPER = b"shopper"
_BITS_PER_ITEM = 10
_PROBES = np.arange(7, dtype=np.uint64)
_LOW, _HALF = np.uint64(0xFFFF_FFFF), np.uint64(32)


def shopper_tag(user_id: str) -> bytes:
    """8 bytes of BLAKE2b (RFC 7693) of a shopper's id; none for an anonymous shopper."""
    if not user_id:
        return b""
    return blake2b(user_id.encode(), digest_size=_TAG_BYTES, person=_SHOPPER).digest()


def item_filter(keys: NDArray[np.uint64]) -> bytes:
    """A Bloom filter of items by their keys: 10 bits for each, 7 of them set; empty where there are none."""
    size = 8 * -(-_BITS_PER_ITEM * len(keys) // 8)
    if not size:
        return b""
    bits = np.zeros(size, np.uint8)
    bits[_positions(keys[:, None] & _LOW, keys[:, None] >> _HALF, _PROBES, np.uint64(size))] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def filter_has(items: bytes, item_id: str) -> bool:
    """Whether an item is in a filter; of items that are not, about one in a hundred is found too."""
    # Without NumPy, whose calls take longer than seven probes.
    key = item_key(item_id)
    positions = (_positions(key & int(_LOW), key >> int(_HALF), probe, 8 * len(items)) for probe in range(7))
    return all(items[position >> 3] >> (position & 7) & 1 for position in positions)


def _positions(first: Any, step: Any, probe: Any, size: Any) -> Any:
    # Double hashing: the step is odd, so that no item has all its bits in one place.
    return (first + probe * (step | 1)) % size
