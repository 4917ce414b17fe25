"""What each request sends: header fields and serialised messages, prepared once where no template asks
otherwise.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from google.protobuf import json_format
from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]
from google.protobuf.message import DecodeError, Message

from loadtest.call import Headers, framed_message
from loadtest.compression import compressed
from loadtest.descriptors import Method
from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.recording import RecordedRequest
from loadtest.request_headers import metadata_headers, request_headers
from loadtest.templates import CallContext, Template


@dataclass(frozen=True, slots=True)
class Request:
    """One request: header fields and the messages it sends, each with gRPC's prefix."""

    headers: Headers
    messages: tuple[bytes, ...]
    server_streaming: bool = False


class Requests(Protocol):
    """Where a driver takes its requests from."""

    def request(self, number: int, worker: str) -> Request:
        """The request with this number, from 0, sent by the worker of this name."""
        ...


@dataclass(frozen=True, slots=True)
class Sending:
    """What holds for every message: the authority and scheme of the target and the options that shape a
    request.
    """

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
        self._requests = requests
        self._count = len(requests)

    def request(self, number: int, worker: str) -> Request:
        """See Requests."""
        return self._requests[number % self._count]


class TemplateRequests:
    """Requests rendered one by one from templates of data and metadata."""

    def __init__(
        self,
        method: Method,
        sending: Sending,
        data: Template,
        metadata: Template | None,
        shape: Callable[[list[Any]], list[Any]],
        dynamic_messages: int,
        seed: int,
        wall_clock_ns: Callable[[], int],
    ) -> None:
        """`shape` cuts a stream's messages to length; `dynamic_messages`: render anew for each of so many (0
        = once).
        """
        self._method = method
        self._sending = sending
        self._data = data
        self._metadata = metadata
        self._shape = shape
        self._dynamic_messages = dynamic_messages
        self._random = random.Random(seed)
        self._wall_clock_ns = wall_clock_ns
        self._headers = (
            None if metadata is not None and metadata.has_actions else self._headers_of({}, metadata)
        )

    def request(self, number: int, worker: str) -> Request:
        """See Requests. Raises LoadTestError where the rendered text is no JSON or no such message."""
        context = CallContext(self._method.names, number, worker, self._wall_clock_ns(), self._random)
        headers = self._headers
        if headers is None:
            assert self._metadata is not None
            headers = self._sending.headers(
                self._method.path,
                _string_map(_json(self._metadata.render(context), "--metadata"), "--metadata"),
            )
        streaming = self._method.names.client_streaming
        if streaming and self._dynamic_messages:
            chosen = []
            for at in range(self._dynamic_messages):
                messages = _messages(_json(self._data.render(context), "--data"))
                chosen.append(messages[at % len(messages)])
        else:
            messages = _messages(_json(self._data.render(context), "--data"))
            chosen = self._shape(messages) if streaming else [messages[number % len(messages)]]
        framed = tuple(self._sending.framed(_serialised(self._method.request, message)) for message in chosen)
        return Request(headers, framed, self._method.names.server_streaming)

    def _headers_of(self, none: dict[str, str], metadata: Template | None) -> Headers:
        if metadata is None:
            return self._sending.headers(self._method.path, none)
        context = CallContext(self._method.names, 0, "", 0, self._random)
        parsed = _string_map(_json(metadata.render(context), "--metadata"), "--metadata")
        return self._sending.headers(self._method.path, parsed)


def requests_of(
    options: LoadOptions, method: Method, sending: Sending, seed: int, wall_clock_ns: Callable[[], int]
) -> Requests:
    """The requests that the options describe for one method.

    Raises LoadTestError naming the option whose text is no JSON, no message of the method, or no known
    template.
    """
    metadata = _template(options, _text_of(options.metadata, options.metadata_file, "--metadata-file"))
    if options.binary or options.binary_file:
        return _binary_requests(options, method, sending, metadata)
    if options.data_text:
        text = options.data_text
    elif options.data is not None or options.data_file:
        text = _text_of(options.data, options.data_file, "--data-file") or ""
    else:
        text = "{}"
    data = _template(options, text)
    assert data is not None

    def shape(messages: list[Any]) -> list[Any]:
        count = options.stream_call_count
        return [messages[at % len(messages)] for at in range(count)] if count else messages

    dynamic = 0
    if options.stream_dynamic_messages:
        if method.names.client_streaming and not options.stream_call_count:
            raise LoadTestError(
                "--stream-dynamic-messages needs --stream-call-count: how many messages to send"
            )
        dynamic = options.stream_call_count
    rendered = TemplateRequests(method, sending, data, metadata, shape, dynamic, seed, wall_clock_ns)
    first = rendered.request(0, "g0c0")
    if data.has_actions or (metadata is not None and metadata.has_actions):
        return rendered
    if method.names.client_streaming:
        return FixedRequests([first])
    count = len(_messages(_json(text, "--data")))
    return FixedRequests([first, *(rendered.request(number, "g0c0") for number in range(1, count))])


def replayed_requests(
    recording: Sequence[RecordedRequest], methods: Mapping[str, Method], default_call: str, sending: Sending
) -> FixedRequests:
    """A recording's requests in its order; `default_call` where a line names no method."""
    headers: dict[tuple[str, tuple[tuple[str, str], ...]], Headers] = {}
    requests = []
    for recorded in recording:
        method = methods[recorded.call or default_call]
        key = method.path, tuple(sorted(recorded.metadata.items()))
        if key not in headers:
            headers[key] = sending.headers(method.path, recorded.metadata)
        if recorded.data is not None:
            message = _serialised(method.request, recorded.data)
        else:
            message = base64.b64decode(recorded.binary)
        requests.append(Request(headers[key], (sending.framed(message),), method.names.server_streaming))
    return FixedRequests(requests)


def _template(options: LoadOptions, text: str | None) -> Template | None:
    if text is None:
        return None
    return Template(
        text, actions=not options.disable_template_data, functions=not options.disable_template_functions
    )


def _text_of(value: Any, path: str, name: str) -> str | None:
    if path:
        try:
            return Path(path).read_text()
        except OSError as error:
            raise LoadTestError(f"{name}: {path} cannot be read: {error.strerror}") from error
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise LoadTestError(f"{name}: {text[:60]!r} is not JSON: {error}") from error


def _string_map(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise LoadTestError(f"{name}: a JSON object whose values are texts is expected")
    return value


def _messages(data: Any) -> list[Any]:
    messages = data if isinstance(data, list) else [data]
    if not messages or not all(isinstance(message, dict) for message in messages):
        raise LoadTestError("--data: a JSON object or an array of objects is expected, the array not empty")
    return messages


def _serialised(kind: type[Message], data: Mapping[str, Any]) -> bytes:
    try:
        return json_format.ParseDict(dict(data), kind()).SerializeToString()
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise LoadTestError(f"--data is no {kind.DESCRIPTOR.full_name}: {error}") from error


def _binary_requests(
    options: LoadOptions, method: Method, sending: Sending, metadata: Template | None
) -> FixedRequests:
    if metadata is not None and metadata.has_actions:
        raise LoadTestError(
            "--metadata: templates are not rendered beside binary data; give the data as JSON"
        )
    content = options.binary_data
    if options.binary_file:
        try:
            content = Path(options.binary_file).read_bytes()
        except OSError as error:
            raise LoadTestError(
                f"--binary-file: {options.binary_file} cannot be read: {error.strerror}"
            ) from error
    serialised = binary_messages(content, method.request)
    fields = _string_map(_json(metadata.text, "--metadata"), "--metadata") if metadata is not None else {}
    headers = sending.headers(method.path, fields)
    framed = [sending.framed(message) for message in serialised]
    streaming = method.names.server_streaming
    if method.names.client_streaming:
        count = options.stream_call_count or len(framed)
        return FixedRequests(
            [Request(headers, tuple(framed[at % len(framed)] for at in range(count)), streaming)]
        )
    return FixedRequests([Request(headers, (message,), streaming) for message in framed])


def binary_messages(content: bytes, kind: type[Message]) -> list[bytes]:
    """One serialised message, or several, each behind its length as a varint.

    Raises LoadTestError where `content` is neither.
    """
    delimited = _delimited(content)
    if delimited is not None and all(_parses(message, kind) for message in delimited):
        return delimited
    if _parses(content, kind):
        return [content]
    raise LoadTestError(
        f"--binary: the data is neither one {kind.DESCRIPTOR.full_name} nor several behind their lengths"
    )


def _delimited(content: bytes) -> list[bytes] | None:
    messages, at = [], 0
    while at < len(content):
        try:
            size, at = _DecodeVarint32(content, at)
        except (IndexError, DecodeError):
            return None
        if at + size > len(content):
            return None
        messages.append(content[at : at + size])
        at += size
    return messages or None


def _parses(content: bytes, kind: type[Message]) -> bool:
    try:
        message = kind.FromString(content)
    except DecodeError:
        return False
    # What lands in unknown fields alone is some other message that happens to be well formed.
    return not content or message.ByteSize() == 0 or bool(message.ListFields())
