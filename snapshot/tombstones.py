"""Who was deleted and when, without saying who: shoppers that data sets must leave out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

SALT_BYTES = 16
NEVER = -1
"""In the place of a time: not deleted."""

_PERSON = b"erased"


def user_hash(user_id: str) -> bytes:
    """16-byte BLAKE2b (RFC 7693) of a user id: the key of the user's records, in errors as hexadecimal."""
    return blake2b(user_id.encode(), digest_size=16).digest()


def tombstone(salt: bytes, hashed: bytes) -> bytes:
    """16-byte BLAKE2b of a `user_hash`, keyed with the salt of one store: it alone can tell who is meant."""
    return blake2b(hashed, key=salt, digest_size=16, person=_PERSON).digest()


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Deletions: of whom everything up to a moment was deleted.

    Attributes:
        salt: key of the tombstones; empty where nobody was ever deleted.
        erased_ms: `tombstone` → unix milliseconds of the last deletion.
        revision: number of the last deletion, from 1; 0 where there is none.
    """

    salt: bytes = b""
    erased_ms: Mapping[bytes, int] = field(default_factory=dict)
    revision: int = 0

    def __len__(self) -> int:
        """Shoppers deleted."""
        return len(self.erased_ms)

    def of(self, user_id: str) -> int:
        """Unix millisecond up to which everything of a shopper was deleted; `NEVER` where it was not."""
        if not self.erased_ms:
            return NEVER
        return self.erased_ms.get(tombstone(self.salt, user_hash(user_id)), NEVER)

    def of_each(self, user_ids: Iterable[str]) -> NDArray[np.int64]:
        """int64[n], `of` each; about 2 µs for one."""
        return np.fromiter((self.of(user_id) for user_id in user_ids), np.int64)

    def fingerprint(self) -> str:
        """Names exactly these deletions: 32 hexadecimal digits; "" where there is none."""
        if not self.erased_ms:
            return ""
        content = blake2b(self.salt, digest_size=16)
        for mark, erased_ms in sorted(self.erased_ms.items()):
            content.update(mark + erased_ms.to_bytes(8, "big"))
        return content.hexdigest()


NO_TOMBSTONES = Tombstones()
