"""Deletions of shoppers in LMDB: who was deleted, what is under way, and whether freed bytes are in the file.

Database `erased`: tombstone → revision and unix milliseconds of the deletion. In `meta`: the tombstones'
salt, the last revision, user ids by tombstone while their deletion is under way, the number of the last
deletion that has ended (`RENEWAL`, by which every process opens the environment anew), and the number of
that of which no bytes are left in the file.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Mapping

import lmdb

from foundation.storage.lmdb_environment import Database, get
from snapshot.tombstones import NEVER, NO_TOMBSTONES, SALT_BYTES, Tombstones, tombstone, user_hash

ERASED = b"erased"
RENEWAL = b"erasures_ended"
_SALT, _REVISION, _COMPACTED = b"erasures_salt", b"erasures_revision", b"erasures_compacted"
_UNDER_WAY = b"erasing:"
_STONE = struct.Struct(">Qq")
_COUNT = struct.Struct(">Q")


class LmdbErasures:
    """Reads and writes all that inside transactions."""

    def __init__(self, databases: Mapping[bytes, Database]) -> None:
        """`databases`: the environment's, whose handles may change."""
        self._databases = databases

    def begin(self, transaction: lmdb.Transaction, user_id: str, now_ms: int) -> None:
        """Notes that everything of a user up to now is deleted, and that the deletion is under way."""
        salt = get(transaction, _SALT, self._meta)
        if salt is None:
            salt = secrets.token_bytes(SALT_BYTES)
            transaction.put(_SALT, salt, db=self._meta)
        mark = tombstone(salt, user_hash(user_id))
        earlier = get(transaction, mark, self._databases[ERASED])
        # A clock that was set back must not bring back what is deleted.
        erased_ms = now_ms if earlier is None else max(now_ms, _STONE.unpack(earlier)[1])
        revision = self._count(transaction, _REVISION) + 1
        transaction.put(_REVISION, _COUNT.pack(revision), db=self._meta)
        transaction.put(mark, _STONE.pack(revision, erased_ms), db=self._databases[ERASED])
        transaction.put(_UNDER_WAY + mark, user_id.encode(), db=self._meta)

    def end(self, transaction: lmdb.Transaction, user_id: str) -> None:
        """Notes that the store has deleted all of a user; what is freed is still in the file."""
        salt = get(transaction, _SALT, self._meta)
        if salt is not None:
            transaction.delete(_UNDER_WAY + tombstone(salt, user_hash(user_id)), db=self._meta)
        transaction.put(RENEWAL, _COUNT.pack(self._count(transaction, RENEWAL) + 1), db=self._meta)

    def ended(self, transaction: lmdb.Transaction) -> int:
        """Number of the last deletion that has ended."""
        return self._count(transaction, RENEWAL)

    def compacted(self, transaction: lmdb.Transaction, ended: int) -> None:
        """Notes that the file has no bytes of the first `ended` deletions."""
        transaction.put(_COMPACTED, _COUNT.pack(ended), db=self._meta)

    def compaction_due(self, transaction: lmdb.Transaction) -> bool:
        """Whether bytes of deleted entries may be in the file."""
        return self._count(transaction, _COMPACTED) < self._count(transaction, RENEWAL)

    def under_way(self, transaction: lmdb.Transaction) -> list[str]:
        """Ids of users whose deletion has begun and not ended."""
        found = []
        with transaction.cursor(db=self._meta) as cursor:
            here = cursor.set_range(_UNDER_WAY)
            while here and bytes(cursor.key()).startswith(_UNDER_WAY):
                found.append(bytes(cursor.value()).decode())
                here = cursor.next()
        return found

    def tombstones(self, transaction: lmdb.Transaction) -> Tombstones:
        """All deletions."""
        salt = get(transaction, _SALT, self._meta)
        if salt is None:
            return NO_TOMBSTONES
        with transaction.cursor(db=self._databases[ERASED]) as cursor:
            erased = {bytes(mark): _STONE.unpack(stone)[1] for mark, stone in cursor}
        return Tombstones(salt, erased, self._count(transaction, _REVISION))

    def revision(self, transaction: lmdb.Transaction) -> int:
        """Number of the last deletion, 0 where there is none."""
        return self._count(transaction, _REVISION)

    def erased_ms(self, transaction: lmdb.Transaction) -> Callable[[bytes], int]:
        """User hash → unix millisecond up to which all was deleted, or `NEVER`; inside this transaction."""
        salt = get(transaction, _SALT, self._meta)
        if salt is None:
            return lambda hashed: NEVER
        known: dict[bytes, int] = {}

        def of(hashed: bytes) -> int:
            if hashed not in known:
                stone = get(transaction, tombstone(salt, hashed), self._databases[ERASED])
                known[hashed] = NEVER if stone is None else _STONE.unpack(stone)[1]
            return known[hashed]

        return of

    @property
    def _meta(self) -> Database:
        return self._databases[b"meta"]

    def _count(self, transaction: lmdb.Transaction, key: bytes) -> int:
        stored = get(transaction, key, self._meta)
        return 0 if stored is None else int(_COUNT.unpack(stored)[0])
