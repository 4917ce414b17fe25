"""The entries of the event log, the same bytes in every store.

An entry is the time of arrival in unix milliseconds (int64), the CRC-32 of what follows (uint32), both
little-endian, and a msgpack array in the field order of `LoggedEvent`.
"""

import struct
import zlib
from collections.abc import Sequence

import msgspec

from foundation.storage.errors import StateError
from state.event_batch import EventBatch

_PREFIX = struct.Struct("<qI")


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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(LoggedEvent)


def encode_entries(batch: EventBatch, rows: Sequence[int]) -> list[bytes]:
    """The entries of the given rows of a batch, in that order."""
    timestamps = batch.timestamps_ms.tolist()
    events = batch.events.tolist()
    entries = []
    for row in rows:
        body = _encoder.encode(
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
        entries.append(_PREFIX.pack(batch.arrived_ms, zlib.crc32(body)) + body)
    return entries


def decode_entry(seq: int, entry: bytes) -> LoggedEvent:
    """The event of an entry, which stands at sequence number `seq`.

    Raises:
        StateError: the entry is corrupt.
    """
    try:
        _, checksum = _PREFIX.unpack_from(entry)
        body = entry[_PREFIX.size :]
        if zlib.crc32(body) != checksum:
            raise corrupt_entry(seq, "its checksum does not match")
        return _decoder.decode(body)
    except (struct.error, msgspec.MsgspecError) as error:
        raise corrupt_entry(seq, str(error)) from error


def arrival_ms(entry: bytes | memoryview) -> int | None:
    """Unix millisecond at which an entry's event arrived, None where the entry is too short to tell."""
    return None if len(entry) < _PREFIX.size else int(_PREFIX.unpack_from(entry)[0])


def corrupt_entry(seq: int, reason: str) -> StateError:
    """The error that names a corrupt entry and says how to read on."""
    return StateError(
        f"entry {seq} of the event log is corrupt: {reason}; read on behind it with after_seq={seq}"
    )
