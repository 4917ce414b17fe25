"""Random requests for every method of a service: bytes, damaged messages, and valid messages of nonsense."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from server.rpc.methods import HEALTH_SERVICE, REFLECTION_SERVICE, method_table

ENORMOUS_SHARE = 0.005

WATCH = f"/{HEALTH_SERVICE}/Watch"
REFLECTION = f"/{REFLECTION_SERVICE}/ServerReflectionInfo"
STREAMS: dict[str, type[Message]] = {
    WATCH: health_pb2.HealthCheckRequest,
    REFLECTION: reflection_pb2.ServerReflectionRequest,
}
"""Path → request message, of the methods that answer with a stream."""

_WORDS = ("", "home", "cart", "u0001", "bst", "1", "shopfront.v1.RecommendService", "Ω≈ç√", "\x00", "a" * 300)
_INTEGERS = (0, 1, -1, 20, 2**31 - 1, -(2**31), 7)
_WIDE_INTEGERS = (*_INTEGERS, 2**63 - 1, -(2**63), 1_700_000_000_000)
_NUMBERS = (0.0, -0.0, 1.5, -1.0, 1e308, float("inf"), float("-inf"), float("nan"), 5e-324)
_MOST_REPEATED = 40
_ENORMOUS = 200_000
_ENORMOUS_BYTES = 6 * 2**20


def unary_methods() -> dict[str, type[Message]]:
    """Path → request message, of every registered method, plug-ins' included, and of the health check."""
    registered = {method.path: method.request for method in method_table().values()}
    return registered | {f"/{HEALTH_SERVICE}/Check": health_pb2.HealthCheckRequest}


def random_request(message: type[Message], chance: random.Random) -> bytes:
    """What a caller might send by accident or malice as the bytes of `message`."""
    if chance.random() < ENORMOUS_SHARE:
        return enormous_request(message, chance)
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.choice((0, 1, 7, 60, 400, 5_000)))
    data = random_message(message, chance).SerializeToString()
    if kind == 1:
        return data
    return _damaged(data, chance) if kind == 2 else data[: chance.randrange(len(data) + 1)]


def enormous_request(message: type[Message], chance: random.Random) -> bytes:
    """One field of `message` repeated or long beyond reason, within the size a router takes by default.

    Of a message without fields, unknown ones.
    """
    if not message.DESCRIPTOR.fields:
        # Field 1, a varint of one byte.
        return b"\x08\x01" * (_ENORMOUS_BYTES // 2)
    field: Any = chance.choice(message.DESCRIPTOR.fields)
    if field.message_type is not None:
        entries = random_entries(field, message, chance).SerializeToString() or bytes(
            (field.number << 3 | 2, 0)
        )
        return entries * min(_ENORMOUS, _ENORMOUS_BYTES // len(entries))
    made = message()
    if field.is_repeated:
        getattr(made, field.name).extend(_scalar(field, chance) for _ in range(_ENORMOUS // 10))
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        long = "x" * chance.choice((70_000, _ENORMOUS_BYTES))
        setattr(made, field.name, long.encode() if field.type == FieldDescriptor.TYPE_BYTES else long)
    else:
        # The last of many values of one field counts; all of them must be read.
        setattr(made, field.name, _scalar(field, chance))
        return made.SerializeToString() * (_ENORMOUS // 10)
    return made.SerializeToString()


def random_entries(field: Any, message: type[Message], chance: random.Random) -> Message:
    """A message in which only the message field named is filled."""
    made = message()
    _fill(made, field, 1, chance, 0)
    return made


def random_message(message: type[Message], chance: random.Random, depth: int = 0) -> Message:
    """A readable message with nonsense in some of its fields."""
    made = message()
    for field in made.DESCRIPTOR.fields:
        if chance.random() < 0.3 or depth > 3:
            continue
        count = chance.choice((1, 2, _MOST_REPEATED)) if field.is_repeated else 1
        _fill(made, field, count, chance, depth)
    return made


def _fill(made: Message, field: Any, count: int, chance: random.Random, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _fill_map(made, field, count, chance, depth)
    elif field.message_type is not None:
        _fill_messages(made, field, count, chance, depth)
    elif field.is_repeated:
        getattr(made, field.name).extend(_scalar(field, chance) for _ in range(count))
    else:
        setattr(made, field.name, _scalar(field, chance))


def _fill_map(made: Message, field: Any, count: int, chance: random.Random, depth: int) -> None:
    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    entries = getattr(made, field.name)
    for _ in range(count):
        at = _scalar(key, chance)
        if key.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            # Names alone would make few entries.
            at += str(chance.randrange(_MOST_REPEATED))
        if value.message_type is None:
            entries[at] = _scalar(value, chance)
        else:
            entries[at].CopyFrom(random_message(type(entries[at]), chance, depth + 1))


def _fill_messages(made: Message, field: Any, count: int, chance: random.Random, depth: int) -> None:
    child = getattr(made, field.name)
    if not field.is_repeated:
        child.CopyFrom(random_message(type(child), chance, depth + 1))
        return
    for _ in range(count):
        added = child.add()
        added.CopyFrom(random_message(type(added), chance, depth + 1))


def _scalar(field: Any, chance: random.Random) -> Any:
    return _SCALARS[field.cpp_type](field, chance)


def _word(field: Any, chance: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(20)
    return chance.choice(_WORDS)


_SCALARS: dict[int, Callable[[Any, random.Random], Any]] = {
    FieldDescriptor.CPPTYPE_STRING: _word,
    FieldDescriptor.CPPTYPE_INT32: lambda field, chance: chance.choice(_INTEGERS),
    FieldDescriptor.CPPTYPE_INT64: lambda field, chance: chance.choice(_WIDE_INTEGERS),
    FieldDescriptor.CPPTYPE_UINT32: lambda field, chance: abs(chance.choice(_INTEGERS)),
    FieldDescriptor.CPPTYPE_UINT64: lambda field, chance: abs(chance.choice(_WIDE_INTEGERS)),
    FieldDescriptor.CPPTYPE_FLOAT: lambda field, chance: chance.choice(_NUMBERS),
    FieldDescriptor.CPPTYPE_DOUBLE: lambda field, chance: chance.choice(_NUMBERS),
    FieldDescriptor.CPPTYPE_BOOL: lambda field, chance: chance.random() < 0.5,
    # Open enums carry any number.
    FieldDescriptor.CPPTYPE_ENUM: lambda field, chance: chance.choice((0, 1, 2, 5, 99, -1)),
}


def _damaged(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(damaged) + 1)
        match chance.randrange(3):
            case 0 if at < len(damaged):
                damaged[at] ^= 1 << chance.randrange(8)
            case 1:
                damaged[at:at] = chance.randbytes(chance.randint(1, 6))
            case _:
                del damaged[at : at + chance.randint(1, 6)]
    return bytes(damaged)
