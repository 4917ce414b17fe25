"""The log of accepted events: full events under rising sequence numbers, oldest trimmed.

Keys are the sequence number, 8 bytes big-endian, so that LMDB's order is the order of arrival. A value is the
time of arrival in unix milliseconds (int64), the CRC-32 of what follows (uint32), both little-endian, and a
msgpack array in the field order of `LoggedEvent`.
"""

import struct
import zlib
from collections.abc import Sequence

import lmdb
import msgspec

from router.state.errors import StateError
from router.state.event_batch import EventBatch
from router.state.lmdb_environment import Database, get

_SEQ = struct.Struct(">Q")
_PREFIX = struct.Struct("<qI")
_NEXT_SEQ = b"log_next_seq"


class LoggedEvent(msgspec.Struct, frozen=True, array_like=True):
    """One event as it was accepted; external ids, times in unix milliseconds, `event` an EventType code."""

    user_id: str
    item_id: str
    event: int
    timestamp_ms: int
    arrived_ms: int
    scene: str = ""
    position: int = 0
    attribution_token: str = ""
    quantity: int = 1
    price: float = 0.0
    query: str = ""
    event_id: str = ""
    session_id: str = ""


class EventLog:
    """The log inside a transaction: `entries` holds the events, `meta` the next sequence number."""

    def __init__(self, entries: Database, meta: Database, *, max_events: int, max_days: float) -> None:
        self._entries = entries
        self._meta = meta
        self._max_events = max_events
        self._max_ms = int(max_days * 86_400_000)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(LoggedEvent)

    def next_seq(self, transaction: lmdb.Transaction) -> int:
        """Sequence number that the next event gets; the first is 1."""
        stored = get(transaction, _NEXT_SEQ, self._meta)
        return 1 if stored is None else int(_SEQ.unpack(stored)[0])

    def append(self, transaction: lmdb.Transaction, batch: EventBatch, rows: Sequence[int]) -> None:
        """Adds the given rows of a batch, in that order."""
        if not rows:
            return
        seq = self.next_seq(transaction)
        timestamps = batch.timestamps_ms.tolist()
        events = batch.events.tolist()
        encode = self._encoder.encode
        for row in rows:
            entry = encode(
                LoggedEvent(
                    batch.user_ids[row],
                    batch.item_ids[row],
                    events[row],
                    timestamps[row],
                    batch.arrived_ms,
                    batch.scenes[row],
                    batch.positions[row],
                    batch.attribution_tokens[row],
                    batch.quantities[row],
                    batch.prices[row],
                    batch.queries[row],
                    batch.event_ids[row],
                    batch.session_ids[row],
                )
            )
            value = _PREFIX.pack(batch.arrived_ms, zlib.crc32(entry)) + entry
            transaction.put(_SEQ.pack(seq), value, db=self._entries, append=True)
            seq += 1
        transaction.put(_NEXT_SEQ, _SEQ.pack(seq), db=self._meta)

    def read(
        self, transaction: lmdb.Transaction, after_seq: int, limit: int
    ) -> list[tuple[int, LoggedEvent]]:
        """At most `limit` events after a sequence number, oldest first.

        Raises:
            StateError: an entry is corrupt.
        """
        found: list[tuple[int, LoggedEvent]] = []
        with transaction.cursor(db=self._entries) as cursor:
            if limit < 1 or not cursor.set_range(_SEQ.pack(after_seq + 1)):
                return found
            for key, value in cursor.iternext():
                seq = _SEQ.unpack(key)[0]
                found.append((seq, self._decode(seq, bytes(value))))
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
                value = cursor.value()
                expired = len(value) < _PREFIX.size or _PREFIX.unpack_from(value)[0] < now_ms - self._max_ms
                if removed >= surplus and not expired:
                    break
                cursor.delete()
                removed += 1
        return removed

    def _decode(self, seq: int, value: bytes) -> LoggedEvent:
        try:
            _, checksum = _PREFIX.unpack_from(value)
            body = value[_PREFIX.size :]
            if zlib.crc32(body) != checksum:
                raise StateError(_corrupt(seq, "its checksum does not match"))
            return self._decoder.decode(body)
        except (struct.error, msgspec.MsgspecError) as error:
            raise StateError(_corrupt(seq, str(error))) from error


def _corrupt(seq: int, reason: str) -> str:
    return f"entry {seq} of the event log is corrupt: {reason}; read on behind it with after_seq={seq}"
