"""Begins traces of requests and exports them with the OpenTelemetry SDK.

A request is sampled when it comes in. Its spans are made from what it gathered (`RequestTrace`) after its
answer was sent, and passed to the SDK's batch processor, which sends them from a thread of its own and drops
what exceeds its bounded queue: a collector that is slow or gone costs requests nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from foundation.telemetry.tracing.request_trace import RequestTrace, new_span_id
from foundation.telemetry.tracing.spans import SpanMaker

SERVICE_NAME = "shopfront-router"
Metadata = Iterable[tuple[str, str | bytes]]


class Tracing:
    """Traces of one process; every method but `close` belongs to its event loop."""

    def __init__(
        self, provider: TracerProvider, processor: SpanProcessor, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """`clock`: unix nanoseconds."""
        self._sampler = provider.sampler
        self._new_trace_id = provider.id_generator.generate_trace_id
        self._processor = processor
        self._spans = SpanMaker(provider.resource)
        self._clock = clock
        # Most callers send no trace, and looking for one costs more than the rest.
        self._fields = propagate.get_global_textmap().fields

    def begin(self, method: str, metadata: Metadata) -> RequestTrace:
        """The trace of a call of `method` (package.Service/Method) that came with `metadata`.

        It continues the caller's trace where the metadata names one; otherwise it is a new trace.
        """
        began_ns = self._clock()
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        context = Context() if self._fields.isdisjoint(carrier) else propagate.extract(carrier, Context())
        parent = trace.get_current_span(context).get_span_context()
        trace_id = parent.trace_id if parent.is_valid else self._new_trace_id()
        attributes = {"rpc.system.name": "grpc", "rpc.method": method}
        result = self._sampler.should_sample(context, trace_id, method, SpanKind.SERVER, attributes)
        return RequestTrace(
            trace_id=trace_id,
            span_id=new_span_id(),
            sampled=result.decision.is_sampled(),
            method=method,
            began_ns=began_ns,
            parent=parent if parent.is_valid else None,
            state=result.trace_state.to_header() if result.trace_state else "",
            attributes=attributes | dict(result.attributes or {}),
        )

    def end(self, request: RequestTrace, code: str, hide: Callable[[str], str]) -> None:
        """The call was answered with a gRPC status name; its spans are made when the answer has left.

        `hide` takes the ids of shoppers out of a text.
        """
        request.open = False
        if request.sampled:
            asyncio.get_running_loop().call_soon(self._export, request, self._clock(), code, hide)

    def flush(self) -> None:
        """Sends what waits; may block for the exporter's timeout."""
        self._processor.force_flush()

    def close(self) -> None:
        """Sends what waits and ends the exporter's thread; may block for the exporter's timeout."""
        self._processor.shutdown()

    def _export(self, request: RequestTrace, ended_ns: int, code: str, hide: Callable[[str], str]) -> None:
        for span in self._spans.spans(request, ended_ns, code, hide):
            self._processor.on_end(span)


def open_tracing() -> Tracing:
    """Traces as OpenTelemetry's environment variables say: endpoint, service name, sampler, limits."""
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE_NAME}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    return Tracing(provider, BatchSpanProcessor(OTLPSpanExporter()))
