"""What a traced request gathers while it is worked on; spans are made of it once the answer has left."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.place import PIPELINE, STAGE
from pipeline.trace import StageRecord

# Ids need no secrecy, and a generator of our own is seeded by the system in every process.
_ids = random.Random()


@dataclass(frozen=True, slots=True)
class TritonCall:
    """One call of a model. Times are unix nanoseconds; `code` is a gRPC status name."""

    span_id: int
    pipeline: str
    stage: str
    model: str
    version: str
    target: str
    began_ns: int
    ended_ns: int
    code: str


@dataclass(slots=True)
class RequestTrace:
    """One request on its way. Filled only while it is `recording`.

    parent  span context of the caller's span as OpenTelemetry has it, None where there is none
    state   the `tracestate` header that belongs to it, "" where there is none
    """

    trace_id: int
    span_id: int
    sampled: bool
    method: str
    began_ns: int
    parent: Any = None
    state: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    stages: list[tuple[str, StageRecord]] = field(default_factory=list)
    triton_calls: list[TritonCall] = field(default_factory=list)
    open: bool = True

    @property
    def recording(self) -> bool:
        """Whether what happens now becomes a span: it is sampled, and its answer has not left."""
        return self.sampled and self.open

    @property
    def trace_hex(self) -> str:
        """The trace id as logs and headers write it, 32 hexadecimal digits."""
        return f"{self.trace_id:032x}"

    def headers(self, span_id: int) -> tuple[tuple[str, str], ...]:
        """W3C Trace Context headers of a call made by the span `span_id`."""
        parent = f"00-{self.trace_hex}-{span_id:016x}-{int(self.sampled):02x}"
        if self.state:
            return (("traceparent", parent), ("tracestate", self.state))
        return (("traceparent", parent),)


class TritonCallSpan:
    """Measures one call of a model by a recording request; `ended` is called whatever became of it."""

    __slots__ = ("_began_ns", "_clock", "_trace", "span_id")

    def __init__(self, trace: RequestTrace, clock: Callable[[], int] = time.time_ns) -> None:
        """Begins the span; `clock`: unix nanoseconds."""
        self._trace = trace
        self._clock = clock
        self._began_ns = clock()
        self.span_id = new_span_id()

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The trace headers of the call to Triton."""
        return self._trace.headers(self.span_id)

    def ended(self, model: str, version: str, target: str, code: str) -> None:
        """The call is over, with a gRPC status name."""
        trace = self._trace
        # A call left behind at its deadline may end after the answer has left.
        if trace.recording:
            trace.triton_calls.append(
                TritonCall(
                    self.span_id,
                    PIPELINE.get(),
                    STAGE.get(),
                    model,
                    version,
                    target,
                    self._began_ns,
                    self._clock(),
                    code,
                )
            )


def new_span_id() -> int:
    """A fresh span id, 64 bits and not 0."""
    while True:
        if made := _ids.getrandbits(64):
            return made
