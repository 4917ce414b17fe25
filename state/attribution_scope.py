"""For whom and of which items an answer was made, in the few bytes for which a token has room."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from struct import unpack
from typing import Any

import numpy as np

_TAG_BYTES = 8
_SHOPPER, _ITEM = b"shopper", b"item"
_BITS_PER_ITEM = 10
_PROBES = np.arange(7, dtype=np.uint64)


def shopper_tag(user_id: str) -> bytes:
    """8 bytes of BLAKE2b (RFC 7693) of a shopper's id; none for an anonymous shopper."""
    if not user_id:
        return b""
    return blake2b(user_id.encode(), digest_size=_TAG_BYTES, person=_SHOPPER).digest()


def item_filter(item_ids: Sequence[str]) -> bytes:
    """A Bloom filter of the items: 10 bits for each, 7 of them set; empty where there are none."""
    bits = np.zeros(8 * -(-_BITS_PER_ITEM * len(item_ids) // 8), np.uint8)
    if bits.size:
        keys = np.frombuffer(b"".join(map(_digest, item_ids)), "<u4").reshape(-1, 2).astype(np.uint64)
        bits[_positions(keys[:, :1], keys[:, 1:], _PROBES, np.uint64(bits.size))] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def filter_has(items: bytes, item_id: str) -> bool:
    """Whether an item is in a filter; of items that are not, about one in a hundred is said to be."""
    # Without NumPy, whose calls take longer than seven probes.
    first, step = unpack("<II", _digest(item_id))
    positions = (_positions(first, step, probe, 8 * len(items)) for probe in range(_PROBES.size))
    return all(items[position >> 3] >> (position & 7) & 1 for position in positions)


def _digest(item_id: str) -> bytes:
    return blake2b(item_id.encode(), digest_size=8, person=_ITEM).digest()


def _positions(first: Any, step: Any, probe: Any, size: Any) -> Any:
    # Double hashing: the step is odd, so that no item has all its bits in one place.
    return (first + probe * (step | 1)) % size
