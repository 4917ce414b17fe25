"""gRPC status codes under the names that ghz (grpc-go) prints, and what HTTP/2 errors mean as one."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Codes of https://grpc.github.io/grpc/core/md_doc_statuscodes.html."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def go_name(self) -> str:
        """The name in grpc-go's `Code.String`, for example DeadlineExceeded."""
        return _GO_NAMES[self]

    @classmethod
    def of(cls, code: str) -> Status:
        """The status of a `grpc-status` field; UNKNOWN for a code that gRPC does not define."""
        try:
            return cls(int(code))
        except ValueError:
            return cls.UNKNOWN


_GO_NAMES = {
    status: {"OK": "OK", "CANCELLED": "Canceled"}.get(
        status.name, "".join(word.capitalize() for word in status.name.split("_"))
    )
    for status in Status
}

_RESETS = {
    0x7: (Status.UNAVAILABLE, "REFUSED_STREAM"),
    0x8: (Status.CANCELLED, "CANCEL"),
    0xB: (Status.RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM"),
    0xC: (Status.PERMISSION_DENIED, "INADEQUATE_SECURITY"),
}
_HTTP = {
    "400": Status.INTERNAL,
    "401": Status.UNAUTHENTICATED,
    "403": Status.PERMISSION_DENIED,
    "404": Status.UNIMPLEMENTED,
    "429": Status.UNAVAILABLE,
    "502": Status.UNAVAILABLE,
    "503": Status.UNAVAILABLE,
    "504": Status.UNAVAILABLE,
}


def status_of_reset(code: int) -> tuple[Status, str]:
    """What RST_STREAM with this HTTP/2 error code means (gRPC's PROTOCOL-HTTP2, section Errors)."""
    status, name = _RESETS.get(code, (Status.INTERNAL, f"HTTP/2 error {code}"))
    return status, f"stream terminated by RST_STREAM with {name}"


def status_of_http(code: str) -> tuple[Status, str]:
    """What an HTTP status other than 200 means (gRPC's http-grpc-status-mapping)."""
    return _HTTP.get(code, Status.UNKNOWN), f"unexpected HTTP status code {code or 'missing'} from the server"


def go_error(status: Status, message: str) -> str:
    """The error text that grpc-go, and so ghz, prints for a failed call; empty for OK."""
    return "" if status is Status.OK else f"rpc error: code = {status.go_name} desc = {message}"
