"""Item keys: 64-bit hashes of external item ids that stay valid when dense indices change."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np


def item_keys(ids: Iterable[str]) -> np.ndarray:
    """Hash external item ids to 64-bit keys.

    The key is BLAKE2b (RFC 7693) with an 8-byte digest over the id's UTF-8 bytes, read little-endian,
    so it is the same on every machine and in every process.

    Args:
        ids: n external item ids.

    Returns:
        uint64[n], in the order of `ids`.

    Raises:
        UnicodeEncodeError: an id holds a lone surrogate and so has no UTF-8 form.
    """
    return np.frombuffer(b"".join(map(_digest, ids)), dtype="<u8").astype(np.uint64, copy=False)


def item_key(item_id: str) -> int:
    """The key of one id, as `item_keys`; 0…2⁶⁴ − 1."""
    return int.from_bytes(_digest(item_id), "little")


def _digest(item_id: str) -> bytes:
    return blake2b(item_id.encode(), digest_size=8).digest()
