"""Counts what a request repeats on the wire, before protobuf makes an object of each entry.

Walks the wire format and stops at the first field that has too many entries, so that refusing a request never
costs more than the largest accepted one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from router.errors import FieldViolation
from server.ingress.wire_format import GROUPS, LENGTH_DELIMITED, MAX_DEPTH, fields_of

MAX_ENTRIES = 1_000
"""Most entries of a repeated field for which a method sets no limit of its own."""
SMALL_BYTES = 2_048
"""Requests up to this size are not walked: each entry takes at least two bytes."""

_MAX_OTHER_FIELDS = 1_000
_NEVER_PACKED = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE}
_FIXED_BYTES = {
    FieldDescriptor.TYPE_DOUBLE: 8,
    FieldDescriptor.TYPE_FLOAT: 4,
    FieldDescriptor.TYPE_FIXED32: 4,
    FieldDescriptor.TYPE_SFIXED32: 4,
    FieldDescriptor.TYPE_FIXED64: 8,
    FieldDescriptor.TYPE_SFIXED64: 8,
}
_NOT_LAST_OF_VARINT = bytes(range(0x80, 0x100))


@dataclass(frozen=True, slots=True)
class _Field:
    """A field that is counted or walked into."""

    path: str
    most: int | None
    """Most entries; None: the field is not repeated."""
    inner: Mapping[int, _Field] | None
    """Fields of the message in it that are counted or walked into; None: it is not walked into."""
    packed_bytes: int | None
    """Bytes of an entry of a packed field, 0 for varints; None: it cannot be packed."""


_NOTHING: Mapping[str, dict[int, _Field]] = {}


class RequestSize:
    """The limits of one method's request."""

    def __init__(self, descriptor: Any, most: Mapping[str, int]) -> None:
        """`descriptor`: of the request message; `most`: as `MethodOptions.repeated`."""
        self._fields = _counted(descriptor, most)
        self._most_fields = _MAX_OTHER_FIELDS + _most_in(self._fields, set())

    def excess(self, data: bytes) -> FieldViolation | None:
        """The first field of `data` with too many entries; None where there is none, or `data` is torn."""
        if len(data) <= SMALL_BYTES:
            return None
        walk = _Walk(self._most_fields)
        try:
            return walk.excess(data, 0, len(data), self._fields)
        except (IndexError, ValueError):
            # protobuf stops at the same byte.
            return None


class _Walk:
    """One request on its way through."""

    def __init__(self, most_fields: int) -> None:
        self._left = self._most_fields = most_fields
        self._entries: dict[str, int] = {}

    def excess(
        self, data: bytes, position: int, end: int, fields: Mapping[int, _Field], depth: int = 0
    ) -> FieldViolation | None:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deep")
        for number, wire_type, begin, stop in fields_of(data, position, end):
            self._left -= 1
            if self._left < 0:
                return FieldViolation("request", f"has more than {self._most_fields:,} fields in all")
            if wire_type in GROUPS:
                return FieldViolation("request", "contains a group, which no message here has")
            field = fields.get(number)
            if field is None:
                continue
            found = self._too_many(field, data, begin, stop, wire_type)
            if found is None and field.inner is not None and wire_type == LENGTH_DELIMITED:
                found = self.excess(data, begin, stop, field.inner, depth + 1)
            if found is not None:
                return found
        return None

    def _too_many(
        self, field: _Field, data: bytes, begin: int, end: int, wire_type: int
    ) -> FieldViolation | None:
        if field.most is None:
            return None
        entries = 1
        if field.packed_bytes is not None and wire_type == LENGTH_DELIMITED:
            if field.packed_bytes:
                entries = (end - begin) // field.packed_bytes
            else:
                entries = len(data[begin:end].translate(None, delete=_NOT_LAST_OF_VARINT))
        count = self._entries[field.path] = self._entries.get(field.path, 0) + entries
        if count <= field.most:
            return None
        return FieldViolation(field.path, f"has too many entries; at most {field.most:,} are allowed")


def _counted(
    descriptor: Any,
    most: Mapping[str, int],
    prefix: str = "",
    above: Mapping[str, dict[int, _Field]] = _NOTHING,
) -> dict[int, _Field]:
    """Fields that are repeated or contain repeated ones, by number; `above`: tables that contain this one."""
    table: dict[int, _Field] = {}
    # A message within itself counts together with the one that contains it.
    tables = {**above, descriptor.full_name: table}
    for field in descriptor.fields:
        path, message = f"{prefix}{field.name}", field.message_type
        inner = None
        if message is not None and _repeats(message):
            inner = tables.get(message.full_name)
            if inner is None:
                inner = _counted(message, most, f"{path}.", tables)
        limit = most.get(path, MAX_ENTRIES) if field.is_repeated else None
        if limit is not None or inner is not None:
            table[field.number] = _Field(path, limit, inner, _packed_bytes(field))
    return table


def _repeats(descriptor: Any) -> bool:
    """Whether a message, or one in it, has a repeated field."""
    seen, waiting = set(), [descriptor]
    while waiting:
        message = waiting.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        if any(field.is_repeated for field in message.fields):
            return True
        waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return False


def _packed_bytes(field: Any) -> int | None:
    if not field.is_repeated or field.type in _NEVER_PACKED:
        return None
    return _FIXED_BYTES.get(field.type, 0)


def _most_in(table: Mapping[int, _Field], seen: set[int]) -> int:
    """Entries that all counted fields may have together."""
    if id(table) in seen:
        return 0
    seen.add(id(table))
    return sum((field.most or 0) + _most_in(field.inner or {}, seen) for field in table.values())
