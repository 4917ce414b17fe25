"""The entries of the event log, the same bytes in every store.

An entry is the time of arrival in unix milliseconds (int64), the CRC-32 of what follows (uint32), both
little-endian, and a msgpack array in the field order of `LoggedEvent`.
"""

import struct
import zlib
from collections.abc import Iterable

import msgspec

from state.errors import CorruptEntry
from state.logged_event import LoggedEvent

_PREFIX = struct.Struct("<qI")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(LoggedEvent)


def encode_entries(events: Iterable[LoggedEvent]) -> list[bytes]:
    """The entries of these events, in their order."""
    entries = []
    for event in events:
        body = _encoder.encode(event)
        entries.append(_PREFIX.pack(event.arrived_ms, zlib.crc32(body)) + body)
    return entries


def decode_entry(seq: int, entry: bytes) -> LoggedEvent:
    """The event of an entry, which has sequence number `seq`.

    Raises:
        CorruptEntry: the entry is corrupt.
    """
    try:
        _, checksum = _PREFIX.unpack_from(entry)
        body = entry[_PREFIX.size :]
        if zlib.crc32(body) != checksum:
            raise CorruptEntry(seq, "its checksum does not match")
        return _decoder.decode(body)
    except (struct.error, msgspec.MsgspecError) as error:
        raise CorruptEntry(seq, str(error)) from error


def arrival_ms(entry: bytes | memoryview) -> int | None:
    """Unix millisecond at which an entry's event arrived, None where the entry is too short to contain it."""
    return None if len(entry) < _PREFIX.size else int(_PREFIX.unpack_from(entry)[0])


class EntriesOf:
    """Recognises the entries of one user without decoding them: a user's id is the first field."""

    def __init__(self, user_id: str) -> None:
        """`user_id`: the user."""
        self._encoded = _encoder.encode(user_id)

    def __call__(self, entry: bytes) -> bool:
        """Whether the entry is the user's; it may be damaged behind the id."""
        at = _PREFIX.size
        # An array of up to 15 fields begins with one byte, a longer one with three.
        return entry.startswith(self._encoded, at + (3 if entry[at : at + 1] == b"\xdc" else 1))
