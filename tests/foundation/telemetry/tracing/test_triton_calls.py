"""Triton is told which span its call belongs to, and only while the request is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from foundation.telemetry.call_context import CURRENT_CALL, CallContext
from foundation.telemetry.tracing.request_trace import RequestTrace
from pipeline.current_stage import PIPELINE
from pipeline.guard import attempt
from pipeline.stages import DependencyError
from router.ranking.settings import TritonClientSettings
from router.ranking.triton_client import TritonClient

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C


class Inference(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers one score and keeps the metadata it was sent."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.fails = False

    async def ModelInfer(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        self.seen.append(dict(context.invocation_metadata() or ()))
        if self.fails:
            await context.abort(grpc.StatusCode.INTERNAL, "the model failed")
        response = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1")
        response.outputs.add(name="score", datatype="FP32", shape=[1])
        response.raw_output_contents.append(np.ones(1, np.float32).tobytes())
        return response


@pytest.fixture
async def inference() -> AsyncIterator[tuple[Inference, Callable[[], Any]]]:
    """The servicer, and a function that asks it once."""
    servicer = Inference()
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = TritonClient(TritonClientSettings(url=f"127.0.0.1:{port}"))

    async def ask() -> Any:
        return await client.infer("bst", "7", {"candidate_item": np.ones(1, np.int32)}, ("score",), 10.0)

    yield servicer, ask
    await client.close()
    await server.stop(None)


def traced(sampled: bool, state: str = "") -> RequestTrace:
    trace = RequestTrace(TRACE_ID, 0xB7AD6B7169203331, sampled, "s/M", 0, state=state)
    CURRENT_CALL.set(CallContext("r1", None, trace))
    return trace


async def test_an_untraced_call_sends_nothing(inference: tuple[Inference, Callable[[], Any]]) -> None:
    servicer, ask = inference
    await ask()
    CURRENT_CALL.set(CallContext("r1", None, None))
    await ask()
    assert len(servicer.seen) == 2
    assert not [seen for seen in servicer.seen if "traceparent" in seen]


async def test_a_sampled_call_has_a_span_of_its_own(
    inference: tuple[Inference, Callable[[], Any]],
) -> None:
    servicer, ask = inference
    trace = traced(sampled=True, state="vendor=x")

    async def stage() -> None:
        PIPELINE.set("home")
        await attempt("ranking", ask)

    await asyncio.create_task(stage())
    (call,) = trace.triton_calls
    assert (call.pipeline, call.stage, call.model, call.version, call.code) == (
        "home",
        "ranking",
        "bst",
        "7",
        "OK",
    )
    assert 0 < call.began_ns <= call.ended_ns
    (seen,) = servicer.seen
    assert seen["traceparent"] == f"00-{TRACE_ID:032x}-{call.span_id:016x}-01"
    assert seen["tracestate"] == "vendor=x"


async def test_a_failed_call_keeps_its_status(inference: tuple[Inference, Callable[[], Any]]) -> None:
    servicer, ask = inference
    servicer.fails = True
    trace = traced(sampled=True)
    with pytest.raises(DependencyError):
        await ask()
    assert [call.code for call in trace.triton_calls] == ["INTERNAL"]


@pytest.mark.parametrize(("sampled", "open_"), [(False, True), (True, False)])
async def test_what_makes_no_span_is_no_trace_to_triton(
    inference: tuple[Inference, Callable[[], Any]], sampled: bool, open_: bool
) -> None:
    servicer, ask = inference
    trace = traced(sampled)
    trace.open = open_
    await ask()
    assert not trace.triton_calls
    assert "traceparent" not in servicer.seen[0]
