"""The header fields of a gRPC request (gRPC's PROTOCOL-HTTP2, section Requests)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from loadtest.errors import LoadTestError

_RESERVED = ("grpc-", ":")
_OWN = {"content-type", "te", "user-agent"}


def request_headers(
    path: str, authority: str, scheme: str, timeout_ns: int = 0, gzip: bool = False
) -> list[tuple[str, str]]:
    """The header fields of a request.

    `timeout_ns` 0: no deadline; `gzip`: the messages are compressed with it.
    """
    fields = [
        (":method", "POST"),
        (":scheme", scheme),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("user-agent", "grpc-python-shopfront-loadtest/1.0"),
        ("te", "trailers"),
        ("grpc-accept-encoding", "identity,deflate,gzip"),
    ]
    if timeout_ns:
        fields.append(("grpc-timeout", grpc_timeout(timeout_ns)))
    if gzip:
        fields.append(("grpc-encoding", "gzip"))
    return fields


def grpc_timeout(timeout_ns: int) -> str:
    """A deadline as gRPC writes it: at most 8 digits and a unit, rounded up."""
    for unit, size in (
        ("n", 1),
        ("u", 10**3),
        ("m", 10**6),
        ("S", 10**9),
        ("M", 60 * 10**9),
        ("H", 3_600 * 10**9),
    ):
        value = -(-timeout_ns // size)
        if value < 10**8:
            return f"{value}{unit}"
    return "99999999H"


def metadata_headers(metadata: Mapping[str, str]) -> list[tuple[str, str]]:
    """Metadata as header fields: names in lower case, values of `-bin` names in base64.

    Raises LoadTestError for a name that HTTP/2 or gRPC keeps to itself.
    """
    fields = []
    for name, value in metadata.items():
        name = name.lower()
        if not name or name.startswith(_RESERVED) or name in _OWN or not name.isascii() or " " in name:
            raise LoadTestError(f"--metadata: {name!r} cannot be set by a caller; choose another name")
        if name.endswith("-bin"):
            value = base64.b64encode(value.encode()).decode().rstrip("=")
        fields.append((name, value))
    return fields
