"""Our own `grpc.aio` server: inside a Ray Serve replica (`ingress: grpc`), or inside any asyncio program."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection

from router.ingress.calls import CallHandler
from router.ingress.health import HealthChecks
from router.ingress.services import (
    ADD_FUNCTIONS,
    EVENT_SERVICE,
    HEALTH_SERVICE,
    RECOMMEND_SERVICE,
    ROLLOUT_SERVICE,
)
from router.ingress.status import Refusal
from router.service.health import Health

logger = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 8 * 2**20


class Servicer:
    """The RPCs of every service, each handed on; one class serves all, since no two RPCs share a name."""

    def __init__(self, calls: CallHandler) -> None:
        self._calls = calls
        self._draining = False
        self._checks = HealthChecks(self._health)

    def drain(self) -> None:
        """Reports NOT_SERVING from now on, so that load balancers look elsewhere."""
        self._draining = True

    def _health(self) -> Health:
        return Health(False, "draining") if self._draining else self._calls.service.health()

    async def _answer(self, method: str, request: Any, context: grpc.aio.ServicerContext) -> Message:
        answer = await self._calls.handle(method, request, context.time_remaining())
        return await _message_or_abort(answer, context)

    async def Recommend(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("Recommend", request, context)

    async def RecommendPage(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("RecommendPage", request, context)

    async def SimilarItems(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("SimilarItems", request, context)

    async def ReportEvents(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("ReportEvents", request, context)

    async def StartRollout(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("StartRollout", request, context)

    async def GetRollout(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("GetRollout", request, context)

    async def PauseRollout(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("PauseRollout", request, context)

    async def ResumeRollout(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("ResumeRollout", request, context)

    async def PromoteRollout(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("PromoteRollout", request, context)

    async def AbortRollout(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("AbortRollout", request, context)

    async def GetRolloutHistory(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await self._answer("GetRolloutHistory", request, context)

    async def Check(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        return await _message_or_abort(self._checks.check(request), context)

    async def Watch(self, request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Message]:
        async for status in self._checks.watch(request):
            yield status


async def _message_or_abort(answer: Message | Refusal, context: grpc.aio.ServicerContext) -> Message:
    if isinstance(answer, Refusal):
        await context.abort(answer.code, answer.details, answer.trailing_metadata)
    assert not isinstance(answer, Refusal)
    return answer


@dataclass(slots=True)
class RunningServer:
    """A server that accepts calls at `address`."""

    address: str
    _server: grpc.aio.Server
    _servicer: Servicer

    async def stop(self, grace_s: float) -> None:
        """Stops accepting and lets the calls in progress finish within `grace_s` seconds."""
        self._servicer.drain()
        await self._server.stop(grace_s)


async def serve_in_process(
    calls: CallHandler, host: str = "127.0.0.1", port: int = 0, *, reuse_port: bool = False
) -> RunningServer:
    """Starts a server on the running event loop; port 0 takes a free one.

    `reuse_port`: several processes share the port and the kernel spreads connections over them.
    Raises RuntimeError where the address cannot be bound.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", int(reuse_port)),
            ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
        ]
    )
    servicer = Servicer(calls)
    for add_service in ADD_FUNCTIONS:
        add_service(servicer, server)
    reflection.enable_server_reflection(
        (RECOMMEND_SERVICE, EVENT_SERVICE, ROLLOUT_SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME), server
    )
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        await server.stop(None)
        raise
    await server.start()
    return RunningServer(f"{host}:{bound}", server, servicer)
