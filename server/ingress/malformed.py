"""Requests that protobuf cannot read, or that are too large: refused as the caller's mistake.

gRPC itself would answer INTERNAL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from router.errors import FieldViolation
from server.ingress.compression import UnpackError, unpacked
from server.ingress.request_size import RequestSize
from server.ingress.spare_memory import give_back_after
from server.ingress.wire_format import GROUPS, LENGTH_DELIMITED, MAX_DEPTH, fields_of

_WHOLE_REQUEST = "request"
_NO_LIMITS: Mapping[str, int] = {}
_MAX_FIELDS_SEARCHED = 5_000


@dataclass(frozen=True, slots=True)
class MalformedRequest:
    """Takes the place of a request message that is too large or whose bytes protobuf refused."""

    violation: FieldViolation


class TolerantRegistrar:
    """Registers a generated service so that unreadable bytes reach the handler as a `MalformedRequest`.

    gRPC answers INTERNAL where a deserializer raises; the caller's mistake is INVALID_ARGUMENT. `server` is
    any server with gRPC's two registration methods (`grpc.aio.Server`, Ray Serve's).
    """

    def __init__(self, server: Any, requests: Mapping[str, type[Message]], request_bytes: int) -> None:
        """`requests`: method name → class of its request; `request_bytes`: of the largest, unpacked."""
        self._server = server
        self._requests = requests
        self._request_bytes = request_bytes

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Passes the service on, its deserializers replaced."""
        for handler in generic_rpc_handlers:
            handler._method_handlers = self._tolerant(handler._method_handlers)
        self._server.add_generic_rpc_handlers(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler]
    ) -> None:
        """Passes the service's methods on, their deserializers replaced."""
        self._server.add_registered_method_handlers(service_name, self._tolerant(method_handlers))

    def _tolerant(self, handlers: Mapping[str, grpc.RpcMethodHandler]) -> dict[str, grpc.RpcMethodHandler]:
        return {
            path: handler._replace(
                request_deserializer=tolerant(self._requests[path.rsplit("/", 1)[-1]], self._request_bytes)
            )
            for path, handler in handlers.items()
        }


def tolerant(
    message: type[Message], request_bytes: int, repeated: Mapping[str, int] = _NO_LIMITS
) -> Callable[[bytes], Message | MalformedRequest]:
    """A deserializer for `message` that never raises on the caller's bytes.

    Bytes are counted first, then entries; only a request within its limits is read.

    Args:
        message: class of the request.
        request_bytes: larger requests are refused; of a compressed one, what it is unpacked to counts.
        repeated: as `MethodOptions.repeated`.
    """
    size = RequestSize(message.DESCRIPTOR, repeated)

    def deserialize(data: bytes) -> Message | MalformedRequest:
        if len(data) > request_bytes:
            give_back_after(len(data))
            return _refused(f"has {len(data):,} bytes; at most {request_bytes:,} are allowed")
        try:
            data = unpacked(data, request_bytes)
        except UnpackError as error:
            return _refused(str(error))
        excess = size.excess(data)
        if excess is not None:
            return MalformedRequest(excess)
        try:
            return message.FromString(data)
        except DecodeError:
            return MalformedRequest(find_violation(data, message.DESCRIPTOR))

    return deserialize


def _refused(description: str) -> MalformedRequest:
    return MalformedRequest(FieldViolation(_WHOLE_REQUEST, description))


def find_violation(data: bytes, descriptor: Any) -> FieldViolation:
    """Which field makes `data` unreadable as a message of `descriptor`.

    Looks for the first string that is not UTF-8, within the first 5,000 fields; any other error is reported
    for the whole request.
    """
    try:
        field = _invalid_utf8(data, 0, len(data), descriptor, iter(range(_MAX_FIELDS_SEARCHED)), 0)
    except (IndexError, ValueError):
        field = None
    if field is None:
        return FieldViolation(
            _WHOLE_REQUEST,
            f"not a well-formed {descriptor.full_name}; encode it with the current protos/shopfront/v1",
        )
    return FieldViolation(field, "not valid UTF-8; strings must be UTF-8 text")


def _invalid_utf8(
    data: bytes, begin: int, end: int, descriptor: Any, searched: Iterator[int], depth: int
) -> str | None:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    occurrences: Counter[int] = Counter()
    for number, wire_type, value, stop in fields_of(data, begin, end):
        if wire_type in GROUPS or next(searched, None) is None:
            return None
        field = descriptor.fields_by_number.get(number)
        if wire_type != LENGTH_DELIMITED or field is None:
            continue
        path = f"{field.name}[{occurrences[number]}]" if field.is_repeated else field.name
        occurrences[number] += 1
        if field.type == FieldDescriptor.TYPE_STRING and not _is_utf8(data[value:stop]):
            return path
        if field.message_type is not None:
            inner = _invalid_utf8(data, value, stop, field.message_type, searched, depth + 1)
            if inner is not None:
                return f"{path}.{inner}"
    return None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
