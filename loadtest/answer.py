"""Reads a stream's DATA and trailers as the answer of a gRPC call (gRPC's PROTOCOL-HTTP2, Responses)."""

from __future__ import annotations

from urllib.parse import unquote

from loadtest.call import Call, Headers, Limits
from loadtest.compression import DecompressionError, decompressed
from loadtest.status import Status, status_of_http


class AnswerRefused(Exception):
    """The client refuses the rest of an answer; the call ends with `status` and the exception's text."""

    def __init__(self, status: Status, message: str) -> None:
        """Refuses with the status and message that the call ends with."""
        super().__init__(message)
        self.status = status


def take_headers(call: Call, headers: Headers) -> None:
    """Reads the fields that begin an answer. Raises AnswerRefused for an HTTP status other than 200."""
    if call.saw_headers:
        return
    fields = dict(headers)
    if fields.get(":status") != "200":
        raise AnswerRefused(*status_of_http(fields.get(":status", "")))
    call.saw_headers = True
    call.encoding = fields.get("grpc-encoding", "")


def take_data(call: Call, payload: bytes, limits: Limits) -> None:
    """Reads the messages that a DATA frame's payload completes; `call.received` is called for each.

    Raises AnswerRefused for a message that is larger than allowed or cannot be unpacked.
    """
    size = len(payload)
    if not call.buffer and size >= 5 and int.from_bytes(payload[1:5], "big") == size - 5:
        _take_message(call, payload[0], payload[5:], limits)
        return
    call.buffer += payload
    buffer = call.buffer
    while len(buffer) >= 5 and call.status is None:
        end = 5 + int.from_bytes(buffer[1:5], "big")
        _check_size(end - 5, limits)
        if len(buffer) < end:
            return
        flag, message = buffer[0], bytes(buffer[5:end])
        del buffer[:end]
        _take_message(call, flag, message, limits)


def _take_message(call: Call, flag: int, message: bytes, limits: Limits) -> None:
    _check_size(len(message), limits)
    if flag:
        try:
            message = decompressed(message, call.encoding, limits.receive_bytes)
        except DecompressionError as error:
            raise AnswerRefused(Status.INTERNAL, str(error)) from error
    call.answer = message
    call.answers += 1
    if call.received is not None:
        call.received(call)


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.receive_bytes:
        raise AnswerRefused(
            Status.RESOURCE_EXHAUSTED,
            f"received message larger than max ({size} vs. {limits.receive_bytes})",
        )


def outcome(call: Call, trailers: Headers) -> tuple[Status, str]:
    """Status and message of a call that ends with these trailers."""
    code, message, http = "", "", "200"
    for name, value in trailers:
        if name == "grpc-status":
            code = value
        elif name == ":status":
            http = value
        elif name == "grpc-message":
            message = unquote(value)
    if not code:
        return status_of_http(http) if http != "200" else (Status.INTERNAL, "the answer has no grpc-status")
    if code != "0":
        return Status.of(code), message
    if call.buffer:
        return Status.INTERNAL, "the answer ends inside a message"
    if call.answers != 1 and not call.server_streaming:
        return Status.INTERNAL, f"{call.answers} messages answer a call that has one answer"
    return Status.OK, message
