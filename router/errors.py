"""Errors of the router. Those of a request have an owner each; the ingress turns them into gRPC statuses.

    RouterError
    ├── RequestError            a request is refused:     owner       status
    │   ├── CallerError                                   caller      INVALID_ARGUMENT
    │   ├── ForbiddenError                                caller      PERMISSION_DENIED
    │   ├── OverloadError                                 overload    RESOURCE_EXHAUSTED
    │   ├── PreconditionError                             the moment  FAILED_PRECONDITION
    │   ├── RaceLostError                                 the moment  ABORTED
    │   └── BugError                                      bug         INTERNAL
    ├── SettingsError           a settings file is refused (`router.scenes.problems`)
    └── YamlError               a text is not strict YAML (`router.scenes.yaml_tree`)

The statuses come with `google.rpc` details: BadRequest, RetryInfo, PreconditionFailure and ErrorInfo, in this
order; INTERNAL contains the request id and nothing else.

A failed dependency is not among them: it degrades the answer (`pipeline.stages.DependencyError`).
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RouterError(Exception):
    """Base of every error that this package raises on its own."""


class RequestError(RouterError):
    """A request is refused."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that is wrong: its path, for example `page_size` or `scenes[1].scene`."""

    field: str
    description: str


class CallerError(RequestError):
    """The request is wrong; sending it again unchanged fails again."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        """`violations`: at least one; ValueError where there is none."""
        if not violations:
            raise ValueError("a CallerError needs at least one field violation")
        self.violations: tuple[FieldViolation, ...] = tuple(violations)
        super().__init__("; ".join(f"{fault.field}: {fault.description}" for fault in self.violations))

    @classmethod
    def of(cls, field: str, description: str) -> "CallerError":
        """The error for one field."""
        return cls([FieldViolation(field, description)])

    def __reduce__(self) -> tuple[type["CallerError"], tuple[tuple[FieldViolation, ...]]]:
        """How pickle makes it again."""
        return CallerError, (self.violations,)


class ForbiddenError(RequestError):
    """This router answers the method to nobody; the message says what would change it."""


class OverloadError(RequestError):
    """The router has more work than it can hold; the same request may be sent again.

    `retry_after_s` is the shortest time in seconds the caller should wait; `reason` names what is full.
    """

    def __init__(self, retry_after_s: float, reason: str) -> None:
        """Arguments as in the class."""
        self.retry_after_s = retry_after_s
        self.reason = reason
        super().__init__(f"overloaded ({reason}): retry after {retry_after_s:g} s")

    def __reduce__(self) -> tuple[type["OverloadError"], tuple[float, str]]:
        """How pickle makes it again."""
        return OverloadError, (self.retry_after_s, self.reason)


class PreconditionError(RequestError):
    """The request is well-formed, but the present state does not allow it.

    `kind` names the kind of obstacle, `subject` the object that prevents it.
    """

    def __init__(self, kind: str, subject: str, description: str) -> None:
        """`kind`, `subject` as in the class; `description` is the message."""
        self.kind = kind
        self.subject = subject
        self.description = description
        super().__init__(description)

    def __reduce__(self) -> tuple[type["PreconditionError"], tuple[str, str, str]]:
        """How pickle makes it again."""
        return PreconditionError, (self.kind, self.subject, self.description)


class RaceLostError(RequestError):
    """Another caller, `winner`, changed the same object first. Read it again before trying again."""

    def __init__(self, winner: str, description: str) -> None:
        """`winner` as in the class; `description` is the message."""
        self.winner = winner
        self.description = description
        super().__init__(description)

    def __reduce__(self) -> tuple[type["RaceLostError"], tuple[str, str]]:
        """How pickle makes it again."""
        return RaceLostError, (self.winner, self.description)


class BugError(RequestError):
    """The router itself failed; `request_id` finds the logged cause. Raise it `from` that cause."""

    def __init__(self, request_id: str) -> None:
        """`request_id` as in the class."""
        self.request_id = request_id
        super().__init__(f"internal error; request {request_id}")

    def __reduce__(self) -> tuple[type["BugError"], tuple[str]]:
        """How pickle makes it again."""
        return BugError, (self.request_id,)
