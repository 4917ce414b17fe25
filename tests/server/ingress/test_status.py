"""Each failure's owner becomes its gRPC code, with machine-readable details."""

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from router.errors import BugError, CallerError, FieldViolation, OverloadError
from server.ingress.status import DETAILS_KEY, PUSHBACK_KEY, Refusal, refusal_of


def details(refusal: Refusal, kind: type[Message]) -> Message:
    """The only detail message of a refusal."""
    key, value = refusal.trailing_metadata[0]
    assert key == DETAILS_KEY
    status = status_pb2.Status.FromString(value)
    assert status.code == code_pb2.Code.Value(refusal.code.name)
    assert status.message == refusal.details
    message = kind()
    assert status.details[0].Unpack(message)
    return message


def test_caller_error_names_every_field() -> None:
    refusal = refusal_of(
        CallerError(
            [FieldViolation("page_size", "must not be negative"), FieldViolation("scene", "is required")]
        )
    )
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    violations = details(refusal, error_details_pb2.BadRequest).field_violations
    assert [(v.field, v.description) for v in violations] == [
        ("page_size", "must not be negative"),
        ("scene", "is required"),
    ]


def test_many_violations_fit_into_trailers() -> None:
    refusal = refusal_of(
        CallerError([FieldViolation(f"scenes[{i}].scene", "is required") for i in range(500)])
    )
    violations = details(refusal, error_details_pb2.BadRequest).field_violations
    assert violations[-1].description == "480 further violations"
    assert (
        sum(len(key) + len(value) for key, value in refusal.trailing_metadata) + len(refusal.details) < 8_192
    )


@pytest.mark.parametrize(("seconds", "nanos"), [(2.0, 0), (0.5, 500_000_000)])
def test_overload_says_when_to_retry(seconds: float, nanos: int) -> None:
    refusal = refusal_of(OverloadError(seconds, "64 of 64 concurrent requests"))
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    delay = details(refusal, error_details_pb2.RetryInfo).retry_delay
    assert (delay.seconds, delay.nanos) == (int(seconds), nanos)
    assert dict(refusal.trailing_metadata)[PUSHBACK_KEY] == str(int(seconds * 1_000))


def test_bug_gives_the_request_id_and_nothing_else() -> None:
    refusal = refusal_of(BugError("abc123"))
    assert refusal.code is grpc.StatusCode.INTERNAL
    assert details(refusal, error_details_pb2.RequestInfo).request_id == "abc123"
    assert refusal.details == "internal error; request abc123"
