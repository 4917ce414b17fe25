"""From a failure's owner to a gRPC status with rich details (https://google.aip.dev/193)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from router.errors import (
    BugError,
    CallerError,
    ForbiddenError,
    OverloadError,
    PreconditionError,
    RaceLostError,
)

DETAILS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""After which time gRPC itself sends a call again, where the caller's retry policy names its status
(https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback).
"""
# HTTP/2 peers commonly refuse more than 8 KiB of trailers. The text is sent twice: percent-encoded, and among
# the details, whose bytes grow by a third in base64.
_MAX_VIOLATIONS_SENT = 20
_MAX_VIOLATIONS_BYTES = 3_000
_MAX_DETAILS_BYTES = 1_000
_MAX_FIELD_BYTES = 256
_PERCENT_ENCODED = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that ends without a message: gRPC code, text for people, and trailers for programs."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def refusal_of(
    error: CallerError | ForbiddenError | OverloadError | PreconditionError | RaceLostError | BugError,
) -> Refusal:
    """The status a failure is answered with, `google.rpc.Status` in its trailers."""
    if isinstance(error, CallerError):
        return _refusal(
            grpc.StatusCode.INVALID_ARGUMENT,
            str(error),
            error_details_pb2.BadRequest(field_violations=_shown(error)),
        )
    if isinstance(error, ForbiddenError):
        return forbidden_refusal(str(error))
    if isinstance(error, OverloadError):
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        refusal = _refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), error_details_pb2.RetryInfo(retry_delay=delay)
        )
        pushback = (PUSHBACK_KEY, str(round(error.retry_after_s * 1_000)))
        return replace(refusal, trailing_metadata=(*refusal.trailing_metadata, pushback))
    if isinstance(error, PreconditionError):
        violation = error_details_pb2.PreconditionFailure.Violation(
            type=error.kind,
            subject=clipped(error.subject),
            description=clipped(error.description, _MAX_DETAILS_BYTES),
        )
        return _refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            str(error),
            error_details_pb2.PreconditionFailure(violations=[violation]),
        )
    if isinstance(error, RaceLostError):
        return _refusal(
            grpc.StatusCode.ABORTED,
            str(error),
            error_details_pb2.ErrorInfo(
                reason="RACE_LOST", domain="shopfront", metadata={"winner": clipped(error.winner)}
            ),
        )
    return _refusal(
        grpc.StatusCode.INTERNAL, str(error), error_details_pb2.RequestInfo(request_id=error.request_id)
    )


def unavailable_refusal(details: str) -> Refusal:
    """UNAVAILABLE: what the call cannot do without is down; sending it again later may succeed."""
    return _refusal(grpc.StatusCode.UNAVAILABLE, details)


def deadline_refusal(details: str) -> Refusal:
    """DEADLINE_EXCEEDED: the caller's deadline had passed before work began."""
    return _refusal(grpc.StatusCode.DEADLINE_EXCEEDED, details)


def unauthenticated_refusal(details: str) -> Refusal:
    """UNAUTHENTICATED: the call carries no accepted token."""
    return _refusal(grpc.StatusCode.UNAUTHENTICATED, details)


def forbidden_refusal(details: str) -> Refusal:
    """PERMISSION_DENIED: the caller is known and may not call this."""
    return _refusal(grpc.StatusCode.PERMISSION_DENIED, details)


def not_found_refusal(details: str) -> Refusal:
    """NOT_FOUND, for a health check of a service that does not exist."""
    return _refusal(grpc.StatusCode.NOT_FOUND, details)


def _refusal(code: grpc.StatusCode, details: str, *messages: Message) -> Refusal:
    shown = clipped(details, _MAX_DETAILS_BYTES)
    status = status_pb2.Status(code=code_pb2.Code.Value(code.name), message=shown)
    for message in messages:
        status.details.add().Pack(message)
    return Refusal(code, shown, ((DETAILS_KEY, status.SerializeToString()),))


def clipped(text: str, most_bytes: int = _MAX_FIELD_BYTES) -> str:
    """`text`, shortened where it takes more than `most_bytes` as the percent-encoded value of a header."""
    room = most_bytes
    for position, character in enumerate(text[: most_bytes + 1]):
        plain = " " <= character <= "~" and character != "%"
        room -= 1 if plain else _PERCENT_ENCODED * len(character.encode())
        if room < 0:
            return text[: max(0, position - _PERCENT_ENCODED * len("…".encode()))] + "…"
    return text


def _shown(error: CallerError) -> list[error_details_pb2.BadRequest.FieldViolation]:
    shown: list[error_details_pb2.BadRequest.FieldViolation] = []
    room = _MAX_VIOLATIONS_BYTES
    for fault in error.violations[:_MAX_VIOLATIONS_SENT]:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=clipped(fault.field), description=clipped(fault.description, _MAX_DETAILS_BYTES)
        )
        room -= violation.ByteSize()
        if room < 0:
            break
        shown.append(violation)
    unsent = len(error.violations) - len(shown)
    if unsent:
        shown.append(
            error_details_pb2.BadRequest.FieldViolation(
                field="request", description=f"{unsent} further violations"
            )
        )
    return shown
