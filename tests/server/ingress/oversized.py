"""The largest requests that a method takes, made of one field alone, written without protobuf's help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from server.rpc.methods import Method

_LENGTH_DELIMITED = 2
_TEXTS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
# For methods that take what the settings allow.
_DEFAULT_BYTES = 2**20


def oversized(method: Method) -> Iterator[tuple[str, bytes]]:
    """What is in it, and the bytes, for each field of the request, within the method's limit of bytes."""
    most = method.options.request_bytes or _DEFAULT_BYTES
    for field in method.request.DESCRIPTOR.fields:
        yield f"{method.name}: {field.name} many times, empty", _filled(_entry(field, b""), most)
        if field.type in _TEXTS:
            yield f"{method.name}: {field.name} once, long", _entry(field, b"x" * (most - 16))
            yield (
                f"{method.name}: {field.name} not UTF-8",
                _filled(_entry(field, b"x"), most - 8) + _entry(field, b"\xff\xfe"),
            )
        elif field.message_type is not None:
            for inner in field.message_type.fields:
                within = _filled(_entry(inner, b""), most - 16)
                yield f"{method.name}: {field.name} once, full of {inner.name}", _entry(field, within)
                torn = within[:-1] + b"\x80"
                yield f"{method.name}: {field.name} once, torn {inner.name}", _entry(field, torn)
        elif field.is_repeated:
            yield f"{method.name}: {field.name} packed", _entry(field, b"\x01" * (most - 16))
    yield f"{method.name}: unknown fields", _filled(b"\xf8\x7f\x01", most)
    yield f"{method.name}: groups", _filled(b"\xfb\x7f\xfc\x7f", most)


def _filled(entry: bytes, most: int) -> bytes:
    return entry * (most // len(entry))


def _entry(field: Any, content: bytes) -> bytes:
    return varint(field.number << 3 | _LENGTH_DELIMITED) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """`value`, at least 0, as protobuf writes it."""
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
