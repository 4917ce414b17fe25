"""What a driver sends: header fields and framed messages, prepared before they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf import json_format
from google.protobuf.message import Message

from loadtest.call import Headers, framed_message
from loadtest.compression import compressed
from loadtest.errors import LoadTestError
from loadtest.request_headers import metadata_headers, request_headers


@dataclass(frozen=True, slots=True)
class Request:
    """One request: header fields and the messages it sends, each with gRPC's prefix; which sides stream."""

    headers: Headers
    messages: tuple[bytes, ...]
    client_streaming: bool = False
    server_streaming: bool = False


class Requests(Protocol):
    """Where a driver takes its requests from."""

    def request(self, number: int, worker: str) -> Request:
        """The request with this number, from 0, sent by the worker of this name."""
        ...


@dataclass(frozen=True, slots=True)
class Sending:
    """What all requests share: authority and scheme of the target, and the options that shape a request."""

    authority: str
    scheme: str
    timeout_ns: int
    gzip: bool
    max_bytes: int

    def headers(self, path: str, metadata: Mapping[str, str]) -> list[tuple[str, str]]:
        """The header fields of a call of `path`."""
        fields = request_headers(path, self.authority, self.scheme, self.timeout_ns, self.gzip)
        return fields + metadata_headers(metadata)

    def framed(self, message: bytes) -> bytes:
        """A serialised message as it goes out. Raises LoadTestError above the largest size."""
        if len(message) > self.max_bytes:
            raise LoadTestError(
                f"a message of {len(message):,} bytes exceeds --max-send-message-size {self.max_bytes:,}"
            )
        return framed_message(compressed(message), True) if self.gzip else framed_message(message)


class FixedRequests:
    """The same few requests in turn."""

    def __init__(self, requests: Sequence[Request]) -> None:
        """Requests that are sent in turn, again from the first after the last."""
        self._requests = requests
        self._count = len(requests)

    def request(self, number: int, worker: str) -> Request:
        """See Requests."""
        return self._requests[number % self._count]


def serialised(kind: type[Message], data: Mapping[str, Any]) -> bytes:
    """The bytes of a message given as JSON; raises LoadTestError where it is no such message."""
    try:
        return json_format.ParseDict(dict(data), kind()).SerializeToString()
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise LoadTestError(f"--data is no {kind.DESCRIPTOR.full_name}: {error}") from error
