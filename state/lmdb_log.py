"""The event log in LMDB: entries under rising sequence numbers, oldest trimmed.

Keys are the sequence number, 8 bytes big-endian, so that LMDB's order is the order of arrival.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

import lmdb

from foundation.storage.lmdb_environment import Database, get
from state.event_log import arrival_ms, decode_entry, encode_entries
from state.logged_event import LoggedEvent

_SEQ = struct.Struct(">Q")
_NEXT_SEQ = b"log_next_seq"


class LmdbLog:
    """The log inside a transaction: `log` holds the events, `meta` the next sequence number."""

    def __init__(self, databases: Mapping[bytes, Database], *, max_events: int, max_days: float) -> None:
        """`databases`: the environment's, whose handles may change; `max_…`: what `trim` keeps."""
        self._databases = databases
        self._max_events = max_events
        self._max_ms = int(max_days * 86_400_000)

    def next_seq(self, transaction: lmdb.Transaction) -> int:
        """Sequence number that the next event gets; the first is 1."""
        stored = get(transaction, _NEXT_SEQ, self._databases[b"meta"])
        return 1 if stored is None else int(_SEQ.unpack(stored)[0])

    def append(self, transaction: lmdb.Transaction, events: Sequence[LoggedEvent]) -> None:
        """Adds events, in their order."""
        if not events:
            return
        seq = self.next_seq(transaction)
        for entry in encode_entries(events):
            transaction.put(_SEQ.pack(seq), entry, db=self._databases[b"log"], append=True)
            seq += 1
        transaction.put(_NEXT_SEQ, _SEQ.pack(seq), db=self._databases[b"meta"])

    def read(
        self, transaction: lmdb.Transaction, after_seq: int, limit: int
    ) -> list[tuple[int, LoggedEvent]]:
        """At most `limit` events after a sequence number, oldest first.

        Raises:
            StorageError: an entry is corrupt.
        """
        found: list[tuple[int, LoggedEvent]] = []
        with transaction.cursor(db=self._databases[b"log"]) as cursor:
            if limit < 1 or not cursor.set_range(_SEQ.pack(after_seq + 1)):
                return found
            for key, value in cursor.iternext():
                seq = _SEQ.unpack(key)[0]
                found.append((seq, decode_entry(seq, bytes(value))))
                if len(found) == limit:
                    break
        return found

    def find(
        self, transaction: lmdb.Transaction, is_wanted: Callable[[bytes], bool], after_seq: int, limit: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        """Wanted entries, with their sequence numbers, of the `limit` entries after a sequence number.

        Returns them and the sequence number of the last entry looked at; 0 where there was none.
        """
        found: list[tuple[int, bytes]] = []
        last = 0
        with transaction.cursor(db=self._databases[b"log"]) as cursor:
            if cursor.set_range(_SEQ.pack(after_seq + 1)):
                for key, value in islice(cursor.iternext(), limit):
                    last = _SEQ.unpack(key)[0]
                    entry = bytes(value)
                    if is_wanted(entry):
                        found.append((last, entry))
        return found, last

    def remove(self, transaction: lmdb.Transaction, seqs: Iterable[int]) -> int:
        """Removes entries by their sequence numbers, which no event gets again; how many there were."""
        return sum(transaction.delete(_SEQ.pack(seq), db=self._databases[b"log"]) for seq in seqs)

    def trim(self, transaction: lmdb.Transaction, now_ms: int, limit: int) -> int:
        """Removes at most `limit` of the oldest events beyond the retention; returns how many."""
        surplus = transaction.stat(self._databases[b"log"])["entries"] - self._max_events
        removed = 0
        with transaction.cursor(db=self._databases[b"log"]) as cursor:
            cursor.first()
            while removed < limit and cursor.key():
                arrived_ms = arrival_ms(cursor.value())
                expired = arrived_ms is None or arrived_ms < now_ms - self._max_ms
                if removed >= surplus and not expired:
                    break
                cursor.delete()
                removed += 1
        return removed
