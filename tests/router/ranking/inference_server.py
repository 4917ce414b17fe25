"""A gRPC server that speaks the inference protocol and does to each part of a request what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import numpy as np
from grpc import aio
from tritonclient.grpc import service_pb2, service_pb2_grpc


@dataclass
class InferenceServer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Scores every item by its number, by any model.

    fails, hangs  a call for one of these items fails, or is not answered until it is cancelled or `thaw`
    """

    fails: set[int] = field(default_factory=set)
    hangs: set[int] = field(default_factory=set)
    frozen: bool = False
    url: str = ""
    asked: list[tuple[str, str, list[int]]] = field(default_factory=list)
    cancelled: list[list[int]] = field(default_factory=list)
    at_once: int = 0
    _running: int = 0

    async def ModelInfer(
        self, request: service_pb2.ModelInferRequest, context: aio.ServicerContext
    ) -> service_pb2.ModelInferResponse:
        names = [tensor.name for tensor in request.inputs]
        items = np.frombuffer(request.raw_input_contents[names.index("candidate_item")], "<i4")
        self.asked.append((request.model_name, request.model_version, items.tolist()))
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        try:
            # Long enough for the other parts of the request to arrive, on any machine that serves tests.
            await asyncio.sleep(0.01)
            if self.frozen or self.hangs & set(items.tolist()):
                await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancelled.append(items.tolist())
            raise
        finally:
            self._running -= 1
        if self.fails & set(items.tolist()):
            await context.abort(grpc.StatusCode.INTERNAL, "out of memory")
        response = service_pb2.ModelInferResponse(
            model_name=request.model_name, model_version=request.model_version
        )
        response.outputs.add(name="score", datatype="FP32", shape=items.shape)
        response.raw_output_contents.append(items.astype("<f4").tobytes())
        return response


@asynccontextmanager
async def inference_server(**behaviour: object) -> AsyncIterator[InferenceServer]:
    """A started server on a free port of 127.0.0.1, in the running event loop."""
    served = InferenceServer(**behaviour)  # type: ignore[arg-type]
    server = aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(served, server)
    served.url = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield served
    finally:
        await server.stop(None)
