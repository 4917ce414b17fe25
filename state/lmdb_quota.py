"""Counts, in LMDB, what may happen only so often within some time, in all processes together."""

from __future__ import annotations

from collections.abc import Mapping

import lmdb
import numpy as np

from foundation.storage.lmdb_environment import Database, get

_KEY = b"taken:"
_DTYPE = np.dtype("<i8")


class LmdbQuota:
    """The moments of what was taken lately, by name, in the database `meta`."""

    def __init__(self, databases: Mapping[bytes, Database]) -> None:
        """`databases`: the environment's, whose handles may change."""
        self._databases = databases

    def take(self, transaction: lmdb.Transaction, name: str, most: int, within_ms: int, now_ms: int) -> bool:
        """As `StateStore.take`, at unix millisecond `now_ms`, inside a write transaction."""
        key, meta = _KEY + name.encode(), self._databases[b"meta"]
        moments = np.frombuffer(get(transaction, key, meta) or b"", _DTYPE)
        # A moment ahead of the clock, which was put back, counts no longer than others.
        lately = moments[(moments > now_ms - within_ms) & (moments <= now_ms + within_ms)]
        if lately.size >= most:
            return False
        transaction.put(key, np.append(lately, now_ms).astype(_DTYPE).tobytes(), db=meta)
        return True
