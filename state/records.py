"""Binary form of a user's records and how events are merged into them.

A record is a 16-byte header and its columns, newest first: keys uint64[n], ts int64[n] and, where it has
them, events uint8[n], scenes uint32[n] or pieces int32[n]. All numbers are little-endian. The header is:
magic `SR`, layout version uint8, flags uint8 (bit 0 = has events, bit 1 = has scenes, bit 2 = has pieces), n
uint32, CRC-32 uint32 over the record's key and everything else, 4 zero bytes.
Columns start at multiples of 8, so they are read in place.
"""

import struct
import zlib
from collections.abc import Mapping

import msgspec
import numpy as np

from state.errors import RecordError
from state.user_state import Behaviours, CartChanges, SeenItems, TimedItems

_HEADER = struct.Struct("<2sBBII4x")
_MAGIC = b"SR"
_LAYOUT = 1
_HAS_EVENTS = 1
_HAS_SCENES = 2
_HAS_PIECES = 4
_PROFILE_HEADER = struct.Struct("<2sBxIq")
_PROFILE_MAGIC = b"SP"
_profile_decoder = msgspec.msgpack.Decoder(dict[str, str])


def _checksum(key: bytes, fields: bytes, body: bytes | memoryview) -> int:
    return zlib.crc32(body, zlib.crc32(fields, zlib.crc32(key)))


def _pack(key: bytes, flags: int, count: int, body: bytes) -> bytes:
    fields = struct.pack("<BBI", _LAYOUT, flags, count)
    return _HEADER.pack(_MAGIC, _LAYOUT, flags, count, _checksum(key, fields, body)) + body


def _unpack(key: bytes, record: bytes, flags: int, row_bytes: int) -> int:
    """Checks a record and returns its number of rows."""
    if len(record) < _HEADER.size:
        raise RecordError(f"{len(record)} bytes are shorter than a header")
    magic, layout, found_flags, count, checksum = _HEADER.unpack_from(record)
    if magic != _MAGIC:
        raise RecordError(f"it begins with {magic!r}, not {_MAGIC!r}")
    if layout != _LAYOUT:
        raise RecordError(f"its layout version is {layout}, this program reads {_LAYOUT}")
    if found_flags != flags:
        raise RecordError(f"its flags are {found_flags}, not {flags}")
    if len(record) != _HEADER.size + count * row_bytes:
        raise RecordError(f"{len(record)} bytes do not hold the {count} rows it states")
    body = memoryview(record)[_HEADER.size :]
    if _checksum(key, struct.pack("<BBI", layout, found_flags, count), body) != checksum:
        raise RecordError("its checksum does not match")
    return int(count)


def rows_of(record: bytes) -> int:
    """Rows that a record of any kind states, unchecked; 1 for a profile and for a record that is damaged."""
    if len(record) < _HEADER.size or record[:2] != _MAGIC:
        return 1
    count = int(_HEADER.unpack_from(record)[3])
    return count if count <= len(record) else 1


def encode_behaviours(key: bytes, rows: Behaviours) -> bytes:
    """The record of behaviours, stored under `key`."""
    body = (
        rows.items.astype("<u8", copy=False).tobytes()
        + rows.ts.astype("<i8", copy=False).tobytes()
        + rows.events.tobytes()
    )
    return _pack(key, _HAS_EVENTS, len(rows.items), body)


def decode_behaviours(key: bytes, record: bytes) -> Behaviours:
    """The behaviours of a record stored under `key`: read-only views of its bytes.

    Raises:
        RecordError: the record is damaged, of another layout, or belongs to another key.
    """
    n = _unpack(key, record, _HAS_EVENTS, 17)
    ts_at = _HEADER.size + 8 * n
    return Behaviours(
        items=np.frombuffer(record, np.uint64, n, _HEADER.size),
        events=np.frombuffer(record, np.uint8, n, ts_at + 8 * n),
        ts=np.frombuffer(record, np.int64, n, ts_at),
    )


def encode_items(key: bytes, rows: TimedItems) -> bytes:
    """The record of purchases or impressions, stored under `key`."""
    body = rows.items.astype("<u8", copy=False).tobytes() + rows.ts.astype("<i8", copy=False).tobytes()
    return _pack(key, 0, len(rows.items), body)


def decode_items(key: bytes, record: bytes) -> TimedItems:
    """The purchases or impressions of a record stored under `key`; views and errors as for behaviours."""
    n = _unpack(key, record, 0, 16)
    return TimedItems(
        items=np.frombuffer(record, np.uint64, n, _HEADER.size),
        ts=np.frombuffer(record, np.int64, n, _HEADER.size + 8 * n),
    )


def encode_seen(key: bytes, rows: SeenItems) -> bytes:
    """The record of seen items, stored under `key`."""
    return _encode_wide(key, _HAS_SCENES, rows.items, rows.ts, rows.scenes.astype("<u4", copy=False))


def decode_seen(key: bytes, record: bytes) -> SeenItems:
    """The seen items of a record stored under `key`; views and errors as for behaviours."""
    items, ts, scenes = _decode_wide(key, record, _HAS_SCENES, np.uint32)
    return SeenItems(items=items, scenes=scenes, ts=ts)


def encode_cart_changes(key: bytes, rows: CartChanges) -> bytes:
    """The record of changes of the cart, stored under `key`."""
    return _encode_wide(key, _HAS_PIECES, rows.items, rows.ts, rows.pieces.astype("<i4", copy=False))


def decode_cart_changes(key: bytes, record: bytes) -> CartChanges:
    """The changes of the cart of a record stored under `key`; views and errors as for behaviours."""
    items, ts, pieces = _decode_wide(key, record, _HAS_PIECES, np.int32)
    return CartChanges(items=items, pieces=pieces, ts=ts)


def _encode_wide(key: bytes, flag: int, items: np.ndarray, ts: np.ndarray, column: np.ndarray) -> bytes:
    """A record whose third column has four bytes a row, little-endian as it is given."""
    body = items.astype("<u8", copy=False).tobytes() + ts.astype("<i8", copy=False).tobytes()
    return _pack(key, flag, len(items), body + column.tobytes())


def _decode_wide(
    key: bytes, record: bytes, flag: int, dtype: type[np.uint32] | type[np.int32]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items, times and the third column, of four bytes a row."""
    n = _unpack(key, record, flag, 20)
    ts_at = _HEADER.size + 8 * n
    return (
        np.frombuffer(record, np.uint64, n, _HEADER.size),
        np.frombuffer(record, np.int64, n, ts_at),
        np.frombuffer(record, dtype, n, ts_at + 8 * n),
    )


def encode_profile(key: bytes, profile: Mapping[str, str], updated_at: int) -> bytes:
    """The record of a profile known at unix second `updated_at`, stored under `key`."""
    body = msgspec.msgpack.encode(dict(profile))
    checksum = _checksum(key, struct.pack("<Bq", _LAYOUT, updated_at), body)
    return _PROFILE_HEADER.pack(_PROFILE_MAGIC, _LAYOUT, checksum, updated_at) + body


def decode_profile(key: bytes, record: bytes) -> tuple[dict[str, str], int]:
    """Profile and the unix second it was known at.

    Raises:
        RecordError: the record is damaged, of another layout, or belongs to another key.
    """
    if len(record) < _PROFILE_HEADER.size:
        raise RecordError(f"{len(record)} bytes are shorter than a header")
    magic, layout, checksum, updated_at = _PROFILE_HEADER.unpack_from(record)
    if magic != _PROFILE_MAGIC:
        raise RecordError(f"it begins with {magic!r}, not {_PROFILE_MAGIC!r}")
    if layout != _LAYOUT:
        raise RecordError(f"its layout version is {layout}, this program reads {_LAYOUT}")
    body = record[_PROFILE_HEADER.size :]
    if _checksum(key, struct.pack("<Bq", layout, updated_at), body) != checksum:
        raise RecordError("its checksum does not match")
    return _profile_decoder.decode(body), updated_at


def _newest_first(ts: np.ndarray, limit: int) -> np.ndarray | slice:
    """Positions of the `limit` newest of int64[n] times, of equal times the earlier position first."""
    if len(ts) < 2 or bool((ts[:-1] >= ts[1:]).all()):
        return slice(0, limit)
    return np.argsort(-ts, kind="stable")[:limit]


def merge_behaviours(stored: Behaviours, added: Behaviours, limit: int) -> Behaviours:
    """The `limit` newest rows of both, newest first; of equal times the added rows come first."""
    ts = np.concatenate((added.ts, stored.ts))
    order = _newest_first(ts, limit)
    return Behaviours(
        items=np.concatenate((added.items, stored.items))[order],
        events=np.concatenate((added.events, stored.events))[order],
        ts=ts[order],
    )


def merge_items(stored: TimedItems, added: TimedItems, limit: int) -> TimedItems:
    """The `limit` newest rows of both, newest first; of equal times the added rows come first."""
    ts = np.concatenate((added.ts, stored.ts))
    order = _newest_first(ts, limit)
    return TimedItems(items=np.concatenate((added.items, stored.items))[order], ts=ts[order])


def merge_seen(stored: SeenItems, added: SeenItems, limit: int) -> SeenItems:
    """The `limit` newest rows of both, newest first; of equal times the added rows come first."""
    ts = np.concatenate((added.ts, stored.ts))
    order = _newest_first(ts, limit)
    return SeenItems(
        items=np.concatenate((added.items, stored.items))[order],
        scenes=np.concatenate((added.scenes, stored.scenes))[order],
        ts=ts[order],
    )


def merge_cart_changes(stored: CartChanges, added: CartChanges, limit: int) -> CartChanges:
    """The `limit` newest rows of both, newest first; of equal times the added rows come first."""
    ts = np.concatenate((added.ts, stored.ts))
    order = _newest_first(ts, limit)
    return CartChanges(
        items=np.concatenate((added.items, stored.items))[order],
        pieces=np.concatenate((added.pieces, stored.pieces))[order],
        ts=ts[order],
    )


def behaviours_not_in(rows: Behaviours, stored: Behaviours) -> Behaviours:
    """Those of `rows` that equal no stored row in item, event and second."""
    if not len(stored.items):
        return rows
    known = set(zip(stored.items.tolist(), stored.events.tolist(), stored.ts.tolist(), strict=True))
    fresh = np.fromiter(
        (
            row not in known
            for row in zip(rows.items.tolist(), rows.events.tolist(), rows.ts.tolist(), strict=True)
        ),
        dtype=bool,
        count=len(rows.items),
    )
    return Behaviours(rows.items[fresh], rows.events[fresh], rows.ts[fresh])


def items_not_in(rows: TimedItems, stored: TimedItems) -> TimedItems:
    """Those of `rows` that equal no stored row in item and second."""
    if not len(stored.items):
        return rows
    known = set(zip(stored.items.tolist(), stored.ts.tolist(), strict=True))
    fresh = np.fromiter(
        (row not in known for row in zip(rows.items.tolist(), rows.ts.tolist(), strict=True)),
        dtype=bool,
        count=len(rows.items),
    )
    return TimedItems(rows.items[fresh], rows.ts[fresh])


def seen_not_in(rows: SeenItems, stored: SeenItems) -> SeenItems:
    """Those of `rows` that equal no stored row in item, scene and second."""
    if not len(stored.items):
        return rows
    known = set(zip(stored.items.tolist(), stored.scenes.tolist(), stored.ts.tolist(), strict=True))
    fresh = np.fromiter(
        (
            row not in known
            for row in zip(rows.items.tolist(), rows.scenes.tolist(), rows.ts.tolist(), strict=True)
        ),
        dtype=bool,
        count=len(rows.items),
    )
    return SeenItems(rows.items[fresh], rows.scenes[fresh], rows.ts[fresh])


def cart_changes_not_in(rows: CartChanges, stored: CartChanges) -> CartChanges:
    """Those of `rows` that equal no stored row in item, direction (in or out) and second."""
    if not len(stored.items):
        return rows
    known = set(zip(stored.items.tolist(), (stored.pieces > 0).tolist(), stored.ts.tolist(), strict=True))
    fresh = np.fromiter(
        (
            row not in known
            for row in zip(rows.items.tolist(), (rows.pieces > 0).tolist(), rows.ts.tolist(), strict=True)
        ),
        dtype=bool,
        count=len(rows.items),
    )
    return CartChanges(rows.items[fresh], rows.pieces[fresh], rows.ts[fresh])
