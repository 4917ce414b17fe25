"""The server of our own, in this process: draining, and the caller's deadline and cancellation."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from router.errors import OverloadError
from router.service.serving_state import ServingState
from server.ingress.own_grpc import serve_in_process
from server.ingress.status import Refusal, refusal_of


class SlowCalls:
    """Stands in for `CallHandler`: answers when told to."""

    def __init__(self) -> None:
        self.began, self.finish = asyncio.Event(), asyncio.Event()
        self.time_remaining: float | None = None
        self.cancelled = False
        self.serving_state = lambda: ServingState(True)

    async def handle(self, method: str, request: Any, time_remaining: float | None, *more: Any) -> Message:
        self.time_remaining = time_remaining
        self.began.set()
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return RecommendResponse(scene=request.scene)


class RefusedOnce(SlowCalls):
    """Answers the second time it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def handle(self, method: str, request: Any, *more: Any) -> Message | Refusal:  # type: ignore[override]
        self.asked += 1
        if self.asked == 1:
            return refusal_of(OverloadError(0.05, "busy"))
        return RecommendResponse(scene=request.scene)


async def test_grpc_waits_as_told_where_the_retry_policy_names_overload() -> None:
    calls = RefusedOnce()
    server = await serve_in_process(calls)  # type: ignore[arg-type]
    policy = {
        "maxAttempts": 2,
        # Were the delay told not heeded, the second attempt would come after the deadline.
        "initialBackoff": "300s",
        "maxBackoff": "300s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
    }
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})
    async with grpc.aio.insecure_channel(
        server.address, options=[("grpc.service_config", config)]
    ) as channel:
        answer = await RecommendServiceStub(channel).Recommend(RecommendRequest(scene="home"), timeout=30)
    assert answer.scene == "home"
    assert calls.asked == 2
    await server.stop(grace_s=5)


class RefusingCalls(SlowCalls):
    """Refuses every call at once."""

    async def handle(self, method: str, request: Any, *more: Any) -> Message | Refusal:  # type: ignore[override]
        return refusal_of(OverloadError(0.05, "busy"))


async def test_of_many_calls_at_once_on_one_connection_the_service_refuses_all_it_refuses() -> None:
    # What gRPC refuses by itself is UNAVAILABLE at the caller, as from a router that died.
    server = await serve_in_process(RefusingCalls())  # type: ignore[arg-type]
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = RecommendServiceStub(channel)

        async def code() -> grpc.StatusCode:
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await stub.Recommend(RecommendRequest(), timeout=60)
            return ended.value.code()

        codes = await asyncio.gather(*(code() for _ in range(600)))
    assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    await server.stop(0)


async def test_an_open_reflection_stream_does_not_hold_up_a_stop() -> None:
    server = await serve_in_process(SlowCalls())  # type: ignore[arg-type]
    async with grpc.aio.insecure_channel(server.address) as channel:
        stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
        await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        assert await stream.read() is not grpc.aio.EOF
        stopping = asyncio.create_task(server.stop(grace_s=30))
        # It ends by itself, not cut off once the grace is over.
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK
        await stopping


async def test_draining_finishes_calls_in_progress_and_takes_no_new_ones() -> None:
    calls = SlowCalls()
    server = await serve_in_process(calls)  # type: ignore[arg-type]
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = RecommendServiceStub(channel)
        in_progress = asyncio.ensure_future(stub.Recommend(RecommendRequest(scene="home"), timeout=30))
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await calls.began.wait()
        stopping = asyncio.create_task(server.stop(grace_s=30))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        async with grpc.aio.insecure_channel(server.address) as late:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await RecommendServiceStub(late).Recommend(RecommendRequest(), timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        watch.cancel()
        calls.finish.set()
        assert (await in_progress).scene == "home"
        await stopping


async def test_the_callers_deadline_is_seen_and_its_cancellation_arrives() -> None:
    calls = SlowCalls()
    server = await serve_in_process(calls)  # type: ignore[arg-type]
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = RecommendServiceStub(channel).Recommend(RecommendRequest(), timeout=20)
        running = asyncio.ensure_future(call)
        await calls.began.wait()
        assert calls.time_remaining is not None
        # gRPC rounds a deadline up on the wire.
        assert 0 < calls.time_remaining <= 21
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        for _ in range(500):
            if calls.cancelled:
                break
            await asyncio.sleep(0.01)
        assert calls.cancelled
    await server.stop(0)


async def test_a_taken_port_is_an_error() -> None:
    server = await serve_in_process(SlowCalls())  # type: ignore[arg-type]
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(RuntimeError):
        await serve_in_process(SlowCalls(), port=port)  # type: ignore[arg-type]
    await server.stop(0)
