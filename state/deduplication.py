"""Recognises events sent again, by (user, event_id), within a window of days.

A key is the day of arrival (4 bytes big-endian), the user's hash (16 bytes) and the BLAKE2b of the event id
(16 bytes); the value is empty. A lookup reads every day of the window. Expired days come first in the
database's order and are removed from there in steps.
"""

import struct
from collections.abc import Mapping

import lmdb

from foundation.storage.lmdb_environment import Database
from state.arrivals import event_digest

_DAY = struct.Struct(">I")
_DAY_S = 86_400


class Deduplication:
    """The index inside a transaction; the window is today and the `days` days before it."""

    def __init__(self, databases: Mapping[bytes, Database], *, days: int) -> None:
        """`databases`: `seen` among them, whose handles may change; `days`: as in the class."""
        self._databases = databases
        self._days = days

    def is_new(self, transaction: lmdb.Transaction, user_hash: bytes, event_id: str, now_s: int) -> bool:
        """Whether the event was not seen in the window; notes it where it was not."""
        suffix = user_hash + event_digest(event_id)
        today = now_s // _DAY_S
        # Tomorrow too: a clock that is put right may go back over midnight.
        for day in (*range(today - self._days, today), today + 1):
            if transaction.get(_DAY.pack(max(day, 0)) + suffix, db=self._databases[b"seen"]) is not None:
                return False
        return bool(
            transaction.put(_DAY.pack(today) + suffix, b"", db=self._databases[b"seen"], overwrite=False)
        )

    def forget(self, transaction: lmdb.Transaction, user_hash: bytes) -> int:
        """Removes a user's entries of every day; returns how many."""
        removed = 0
        with transaction.cursor(db=self._databases[b"seen"]) as cursor:
            here = cursor.first()
            while here:
                day = bytes(cursor.key())[: _DAY.size]
                here = cursor.set_range(day + user_hash)
                while here and bytes(cursor.key()).startswith(day + user_hash):
                    here = cursor.delete() and bool(cursor.key())
                    removed += 1
                if here and bytes(cursor.key()).startswith(day):
                    here = cursor.set_range(_DAY.pack(_DAY.unpack(day)[0] + 1))
        return removed

    def prefixes(self, user_hash: bytes, now_s: int) -> list[bytes]:
        """What the keys of a user begin with, on each day from which any may be left."""
        today = now_s // _DAY_S
        return [_DAY.pack(day) + user_hash for day in range(max(today - self._days - 2, 0), today + 2)]

    def trim(self, transaction: lmdb.Transaction, now_s: int, limit: int) -> int:
        """Removes at most `limit` expired entries; returns how many."""
        oldest = _DAY.pack(max(now_s // _DAY_S - self._days, 0))
        removed = 0
        with transaction.cursor(db=self._databases[b"seen"]) as cursor:
            cursor.first()
            while removed < limit and (key := bytes(cursor.key())) and key < oldest:
                cursor.delete()
                removed += 1
        return removed
