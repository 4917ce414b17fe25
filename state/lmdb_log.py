"""The event log in LMDB: entries under rising sequence numbers, oldest trimmed.

Keys are the sequence number, 8 bytes big-endian, so that LMDB's order is the order of arrival.
"""

import struct
from collections.abc import Sequence

import lmdb

from foundation.storage.lmdb_environment import Database, get
from state.event_log import arrival_ms, decode_entry, encode_entries
from state.logged_event import LoggedEvent

_SEQ = struct.Struct(">Q")
_NEXT_SEQ = b"log_next_seq"


class LmdbLog:
    """The log inside a transaction: `entries` holds the events, `meta` the next sequence number."""

    def __init__(self, entries: Database, meta: Database, *, max_events: int, max_days: float) -> None:
        """`max_events`, `max_days`: what `trim` keeps."""
        self._entries = entries
        self._meta = meta
        self._max_events = max_events
        self._max_ms = int(max_days * 86_400_000)

    def next_seq(self, transaction: lmdb.Transaction) -> int:
        """Sequence number that the next event gets; the first is 1."""
        stored = get(transaction, _NEXT_SEQ, self._meta)
        return 1 if stored is None else int(_SEQ.unpack(stored)[0])

    def append(self, transaction: lmdb.Transaction, events: Sequence[LoggedEvent]) -> None:
        """Adds events, in their order."""
        if not events:
            return
        seq = self.next_seq(transaction)
        for entry in encode_entries(events):
            transaction.put(_SEQ.pack(seq), entry, db=self._entries, append=True)
            seq += 1
        transaction.put(_NEXT_SEQ, _SEQ.pack(seq), db=self._meta)

    def read(
        self, transaction: lmdb.Transaction, after_seq: int, limit: int
    ) -> list[tuple[int, LoggedEvent]]:
        """At most `limit` events after a sequence number, oldest first.

        Raises:
            StorageError: an entry is corrupt.
        """
        found: list[tuple[int, LoggedEvent]] = []
        with transaction.cursor(db=self._entries) as cursor:
            if limit < 1 or not cursor.set_range(_SEQ.pack(after_seq + 1)):
                return found
            for key, value in cursor.iternext():
                seq = _SEQ.unpack(key)[0]
                found.append((seq, decode_entry(seq, bytes(value))))
                if len(found) == limit:
                    break
        return found

    def trim(self, transaction: lmdb.Transaction, now_ms: int, limit: int) -> int:
        """Removes at most `limit` of the oldest events beyond the retention; returns how many."""
        surplus = transaction.stat(self._entries)["entries"] - self._max_events
        removed = 0
        with transaction.cursor(db=self._entries) as cursor:
            cursor.first()
            while removed < limit and cursor.key():
                arrived_ms = arrival_ms(cursor.value())
                expired = arrived_ms is None or arrived_ms < now_ms - self._max_ms
                if removed >= surplus and not expired:
                    break
                cursor.delete()
                removed += 1
        return removed
