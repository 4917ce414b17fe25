"""Binary form of a user's records and how rows are merged into them.

A record is a 16-byte header and its columns, newest first: keys uint64[n], ts int64[n] and, where it has
them, events uint8[n], scenes uint32[n] or pieces int32[n]. All numbers are little-endian. The header is:
magic `SR`, layout version uint8, flags uint8 (bit 0 = has events, bit 1 = has scenes, bit 2 = has pieces), n
uint32, CRC-32 uint32 over the record's key and everything else, 4 zero bytes.
Columns start at multiples of 8, so they are read in place.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from state.errors import RecordError
from state.user_state import Behaviours, CartChanges, SeenItems, TimedItems

AnyRows = Behaviours | CartChanges | SeenItems | TimedItems
Rows = TypeVar("Rows", bound=AnyRows)

_HEADER = struct.Struct("<2sBBII4x")
_MAGIC = b"SR"
_LAYOUT = 1
_PROFILE_HEADER = struct.Struct("<2sBxIq")
_PROFILE_MAGIC = b"SP"


class _Form(NamedTuple):
    """How rows of a type are stored: the header's flags, their columns, and the third one, if any."""

    flags: int
    columns: tuple[str, ...]
    third: str = ""
    dtype: np.dtype[Any] = np.dtype("V0")
    """Of the third column."""


_FORMS: dict[type[Any], _Form] = {
    TimedItems: _Form(0, ("items", "ts")),
    Behaviours: _Form(1, ("items", "ts", "events"), "events", np.dtype("u1")),
    SeenItems: _Form(2, ("items", "ts", "scenes"), "scenes", np.dtype("<u4")),
    CartChanges: _Form(4, ("items", "ts", "pieces"), "pieces", np.dtype("<i4")),
}
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


def encode(key: bytes, rows: AnyRows) -> bytes:
    """The record of rows, stored under `key`."""
    form = _FORMS[type(rows)]
    body = rows.items.astype("<u8", copy=False).tobytes() + rows.ts.astype("<i8", copy=False).tobytes()
    if form.third:
        body += getattr(rows, form.third).astype(form.dtype, copy=False).tobytes()
    return _pack(key, form.flags, len(rows.items), body)


def decode(kind: type[Rows], key: bytes, record: bytes) -> Rows:
    """The rows of type `kind` of a record stored under `key`: read-only views of its bytes.

    Raises:
        RecordError: the record is damaged, of another layout or kind, or belongs to another key.
    """
    form = _FORMS[kind]
    n = _unpack(key, record, form.flags, 16 + form.dtype.itemsize)
    ts_at = _HEADER.size + 8 * n
    columns = {
        "items": np.frombuffer(record, np.uint64, n, _HEADER.size),
        "ts": np.frombuffer(record, np.int64, n, ts_at),
    }
    if form.third:
        columns[form.third] = np.frombuffer(record, form.dtype, n, ts_at + 8 * n)
    return kind(**columns)


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


def merge(stored: Rows, added: Rows, limit: int) -> Rows:
    """The `limit` newest rows of both, newest first; of equal times the added rows come first."""
    both = {
        name: np.concatenate((getattr(added, name), getattr(stored, name)))
        for name in _FORMS[type(stored)].columns
    }
    order = _newest_first(both["ts"], limit)
    return type(stored)(**{name: column[order] for name, column in both.items()})


def not_in(rows: Rows, stored: Rows) -> Rows:
    """Those of `rows` that equal no stored row; of pieces of a cart only the direction is compared."""
    if not len(stored.items):
        return rows
    known = set(zip(*_compared(stored), strict=True))
    fresh = np.fromiter(
        (row not in known for row in zip(*_compared(rows), strict=True)), bool, len(rows.items)
    )
    return rows_at(rows, fresh)


def rows_at(rows: Rows, chosen: np.ndarray) -> Rows:
    """The rows where bool[n] `chosen` is true."""
    if chosen.all():
        return rows
    return type(rows)(**{name: getattr(rows, name)[chosen] for name in _FORMS[type(rows)].columns})


def _compared(rows: AnyRows) -> list[list[Any]]:
    """The columns by which rows are known to be equal."""
    columns = {name: getattr(rows, name) for name in _FORMS[type(rows)].columns}
    if isinstance(rows, CartChanges):
        columns["pieces"] = rows.pieces > 0
    return [column.tolist() for column in columns.values()]
