"""Requests from serialised call data (--binary, --binary-file)."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]
from google.protobuf.message import DecodeError, Message

from loadtest.data_text import string_map
from loadtest.descriptors import Method
from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.request import FixedRequests, Request, Sending
from loadtest.templates import Template


def binary_requests(
    options: LoadOptions, method: Method, sending: Sending, metadata: Template | None
) -> FixedRequests:
    """The requests of serialised data.

    Raises LoadTestError where it is no message of the method, or metadata has templates.
    """
    if metadata is not None and metadata.has_actions:
        raise LoadTestError("--metadata: templates are not rendered with binary data; give the data as JSON")
    content = options.binary_data
    if options.binary_file:
        try:
            content = Path(options.binary_file).read_bytes()
        except OSError as error:
            raise LoadTestError(
                f"--binary-file: {options.binary_file} cannot be read: {error.strerror}"
            ) from error
    serialised = binary_messages(content, method.request)
    fields = string_map(metadata.text, "--metadata") if metadata is not None else {}
    headers = sending.headers(method.path, fields)
    framed = [sending.framed(message) for message in serialised]
    names = method.names
    if names.client_streaming:
        count = options.stream_call_count or len(framed)
        streams = [tuple(framed[at % len(framed)] for at in range(count))]
    else:
        streams = [(message,) for message in framed]
    return FixedRequests(
        [Request(headers, messages, names.client_streaming, names.server_streaming) for messages in streams]
    )


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
    # Bytes that fill unknown fields only are another message that happens to be well formed.
    return not content or message.ByteSize() == 0 or bool(message.ListFields())
