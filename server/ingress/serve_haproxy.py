"""The default ingress: HAProxy in front, Ray Serve inside the replica, this class behind it.

Ray Serve passes its own context to a method, which has no deadline and no abort: a refusal is a code,
trailers and an empty message returned, since an exception loses the trailers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from server.ingress.bearer_tokens import OPERATORS_DETAILS, UNAUTHENTICATED_DETAILS, BearerTokens
from server.ingress.calls import call_handler
from server.ingress.compression import bound_unpacking_in_ray
from server.ingress.health_service import HealthService
from server.ingress.ray_drain import draining_of_this_replica
from server.ingress.reflection import ReflectionStreams
from server.ingress.replica_start import begin_replica
from server.ingress.status import Refusal, forbidden_refusal, unauthenticated_refusal, unavailable_refusal
from server.rpc.methods import HEALTH_SERVICE, REFLECTION_SERVICE, Method, method_table
from server.startup import start_service

_HEALTH_CHECK = f"/{HEALTH_SERVICE}/Check"
_HEALTH_WATCH = f"/{HEALTH_SERVICE}/Watch"
_REFLECTION = f"/{REFLECTION_SERVICE}/ServerReflectionInfo"
_READ_S, _READ_MESSAGES = 1.0, 16


class HaproxyIngress:
    """One replica. Ray Serve dispatches by bare method name."""

    # Ray Serve awaits the constructor.
    async def __init__(  # type: ignore[misc]
        self, settings: dict[str, Any], plugins: Sequence[str]
    ) -> None:
        """Starts the service; arguments as for `begin_replica`."""
        parsed = begin_replica(settings, plugins)
        # Serve starts the replica's server once this returns.
        bound_unpacking_in_ray()
        self._running = await start_service(parsed)
        self._calls = call_handler(self._running)
        self._add_methods()
        self._tokens = BearerTokens(parsed.ingress.tokens)
        draining = draining_of_this_replica()
        self._checks = HealthService(
            self._calls.serving_state, parsed.ingress.limits.health_watches, leaving=draining
        )
        self._reflection = ReflectionStreams(draining)

    def _add_methods(self) -> None:
        """Adds a method for each registered RPC to this instance, by which Ray Serve dispatches."""
        for name, method in method_table().items():
            setattr(self, name, self._rpc(method))

    def _rpc(self, method: Method) -> Callable[[Any, Any], Awaitable[Message]]:
        # Ray Serve passes the context to a parameter of this name.
        async def answer(request: Any, grpc_context: Any) -> Message:
            return await self._answer(method, request, grpc_context)

        return answer

    async def Check(self, request: Any, grpc_context: Any) -> Message:
        """`grpc.health.v1.Health/Check`."""
        refusal = self._unauthenticated(_HEALTH_CHECK, grpc_context)
        return _message_or_refuse(
            refusal or self._checks.check(request), health_pb2.HealthCheckResponse, grpc_context
        )

    async def Watch(self, request: Any, grpc_context: Any) -> AsyncIterator[Message]:
        """`grpc.health.v1.Health/Watch`."""
        refusal = self._unauthenticated(_HEALTH_WATCH, grpc_context) or self._checks.watch_refusal()
        if refusal is not None:
            _refuse(grpc_context, refusal)
            return
        # A stream ends only as this replica stops. Set before the first status: where HAProxy sends a call
        # through Serve's proxy, that takes over the code with each message, and none that is set later.
        _refuse(grpc_context, unavailable_refusal("this replica is stopping; watch again"))
        async for status in self._checks.watch(request):
            yield status

    async def ServerReflectionInfo(self, request_stream: Any, grpc_context: Any) -> AsyncIterator[Message]:
        """`grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo`."""
        refusal = self._unauthenticated(_REFLECTION, grpc_context)
        if refusal is not None:
            await _read_to_its_end(request_stream)
            _refuse(grpc_context, refusal)
            return
        async for answer in self._reflection.answers(request_stream):
            if isinstance(answer, Refusal):
                await _read_to_its_end(request_stream)
                _refuse(grpc_context, answer)
                return
            yield answer

    def _unauthenticated(self, path: str, grpc_context: Any) -> Refusal | None:
        if not self._tokens.needed_for(path):
            return None
        metadata = grpc_context.invocation_metadata()
        if not self._tokens.accepts(metadata):
            return unauthenticated_refusal(UNAUTHENTICATED_DETAILS)
        if self._tokens.forbids(path, metadata):
            return forbidden_refusal(OPERATORS_DETAILS)
        return None

    async def _answer(self, method: Method, request: Any, grpc_context: Any) -> Message:
        answer: Message | Refusal | None = self._unauthenticated(method.path, grpc_context)
        if answer is None:
            answer = await self._calls.handle(method.name, request, None, grpc_context.invocation_metadata)
        return _message_or_refuse(answer, method.response, grpc_context)

    async def check_health(self) -> None:
        """Called by Ray Serve, which replaces the replica where this raises."""
        self._running.check_alive()

    async def __del__(self) -> None:
        """Called by Ray Serve after the replica has drained."""
        await self._running.stop()


async def _read_to_its_end(requests: AsyncIterator[Any]) -> None:
    """Reads what a caller still sends, for a moment.

    HAProxy can lose the status of an answer that ends before its request; the caller then sees an empty one.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_READ_S):
            for _ in range(_READ_MESSAGES):
                if await anext(requests, None) is None:
                    return


def _message_or_refuse(answer: Message | Refusal, response: type[Message], grpc_context: Any) -> Message:
    """The answer; for a refusal an empty message, its status set in the context."""
    if isinstance(answer, Refusal):
        _refuse(grpc_context, answer)
        return response()
    return answer


def _refuse(grpc_context: Any, refusal: Refusal) -> None:
    grpc_context.set_code(refusal.code)
    grpc_context.set_details(refusal.details)
    grpc_context.set_trailing_metadata(list(refusal.trailing_metadata))
