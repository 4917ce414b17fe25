"""From what a request gathered to OpenTelemetry spans.

server span of the RPC → one span per pipeline (scene) → one per stage → one per call of a model, whose id
Triton was sent, so that the spans Triton reports hang below it. Names and attributes of RPC spans are
OpenTelemetry's semantic conventions (https://opentelemetry.io/docs/specs/semconv/rpc/grpc/); Shopfront's own
begin with `shopfront.`. No attribute holds a shopper's id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from foundation.telemetry.tracing.request_trace import RequestTrace, TritonCall, new_span_id
from pipeline.trace import StageRecord

TRITON_METHOD = "inference.GRPCInferenceService/ModelInfer"
SCOPE = InstrumentationScope("shopfront.router")
# Codes for which the conventions call a server's span an error: the others are the caller's doing.
SERVER_ERRORS = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_ERROR = Status(StatusCode.ERROR)


class SpanMaker:
    """Makes the spans of one process, which all have its resource."""

    def __init__(self, resource: Resource) -> None:
        """`resource`: describes the process."""
        self._resource = resource

    def spans(
        self, request: RequestTrace, ended_ns: int, code: str, hide: Callable[[str], str]
    ) -> Iterator[ReadableSpan]:
        """Every span of one sampled request.

        `ended_ns`: unix nanoseconds; `code`: its gRPC status name; `hide` takes the ids of shoppers out of a
        text.
        """
        state = TraceState.from_header([request.state]) if request.state else None

        def context(span_id: int) -> SpanContext:
            return SpanContext(request.trace_id, span_id, False, _SAMPLED, state)

        root = context(request.span_id)
        yield self._span(
            request.method,
            root,
            request.parent,
            {**request.attributes, "rpc.response.status_code": code},
            (request.began_ns, ended_ns),
            SpanKind.SERVER,
            _ERROR if code in SERVER_ERRORS else _UNSET,
        )
        pipelines: dict[str, SpanContext] = {}
        stages: dict[tuple[str, str], SpanContext] = {}
        times: dict[str, tuple[int, int]] = {}
        for pipeline, record in request.stages:
            if pipeline not in pipelines:
                pipelines[pipeline] = context(new_span_id())
            interval = _interval(request.began_ns, record)
            begin, end = times.get(pipeline, interval)
            times[pipeline] = min(begin, interval[0]), max(end, interval[1])
            # A backfill may be called several times: its calls are children of the last.
            span = stages[pipeline, record.stage] = context(new_span_id())
            detail = hide(record.detail) if record.detail else ""
            failed = record.outcome in ("timeout", "failed")
            yield self._span(
                record.stage,
                span,
                pipelines[pipeline],
                stage_attributes(record, detail),
                interval,
                status=Status(StatusCode.ERROR, detail) if failed else _UNSET,
            )
        for pipeline, span in pipelines.items():
            yield self._span(
                f"pipeline {pipeline}", span, root, {"shopfront.scene": pipeline}, times[pipeline]
            )
        for call in request.triton_calls:
            parent = stages.get((call.pipeline, call.stage)) or pipelines.get(call.pipeline) or root
            yield self._triton_span(call, context(call.span_id), parent)

    def _triton_span(self, call: TritonCall, context: SpanContext, parent: SpanContext) -> ReadableSpan:
        host, _, port = call.target.rpartition(":")
        attributes: dict[str, str | int] = {
            "rpc.system.name": "grpc",
            "rpc.method": TRITON_METHOD,
            "rpc.response.status_code": call.code,
            "server.address": host or call.target,
            "shopfront.model": call.model,
            "shopfront.model_version": call.version,
        }
        if port.isdecimal():
            attributes["server.port"] = int(port)
        # The conventions call every code but OK an error of a client's span.
        status = _UNSET if call.code == "OK" else _ERROR
        return self._span(
            TRITON_METHOD,
            context,
            parent,
            attributes,
            (call.began_ns, call.ended_ns),
            SpanKind.CLIENT,
            status,
        )

    def _span(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        attributes: dict[str, Any],
        times: tuple[int, int],
        kind: SpanKind = SpanKind.INTERNAL,
        status: Status = _UNSET,
    ) -> ReadableSpan:
        # The SDK starts spans before what they measure; these are known only when it is over.
        return ReadableSpan(
            name,
            context,
            parent,
            self._resource,
            attributes,
            kind=kind,
            status=status,
            start_time=times[0],
            end_time=times[1],
            instrumentation_scope=SCOPE,
        )


def stage_attributes(record: StageRecord, detail: str) -> dict[str, Any]:
    """Attributes of a stage's span; `detail`: that of the record, without ids of shoppers."""
    attributes: dict[str, Any] = {
        "shopfront.stage.outcome": record.outcome,
        "shopfront.stage.candidates_in": record.count_in,
        "shopfront.stage.candidates_out": record.count_out,
    }
    for reason, count in record.removed.items():
        attributes[f"shopfront.stage.removed.{reason}"] = count
    if detail:
        attributes["shopfront.stage.detail"] = detail
    return attributes


def _interval(arrival_ns: int, record: StageRecord) -> tuple[int, int]:
    begin = arrival_ns + int(record.start_ms * 1e6)
    return begin, begin + int(record.elapsed_ms * 1e6)
