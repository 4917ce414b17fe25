"""Walks the fields of an encoded message without making objects of them.

The format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
GROUPS = (3, 4)
MAX_DEPTH = 100
"""Of messages within messages; protobuf itself refuses deeper ones."""
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


def fields_of(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message in `data[begin:end]`, in their order.

    Yields:
        (number, wire type, where the value begins, where it ends). Of a length-delimited field the length is
        left out; the tags that open and close a group are fields of no bytes.

    Raises:
        IndexError, ValueError: the bytes are torn, where protobuf stops too.
    """
    position = begin
    while position < end:
        tag, position = _varint(data, position)
        wire_type = tag & 7
        value = position
        if wire_type == VARINT:
            _, position = _varint(data, position)
        elif wire_type == LENGTH_DELIMITED:
            length, value = _varint(data, position)
            position = value + length
        elif wire_type in _FIXED_BYTES:
            position += _FIXED_BYTES[wire_type]
        elif wire_type not in GROUPS:
            raise ValueError(f"wire type {wire_type}")
        if position > end:
            raise ValueError("truncated field")
        yield tag >> 3, wire_type, value, position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """The varint at `position` and where it ends. IndexError, ValueError where there is none."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("varint longer than 10 bytes")
