"""Server reflection (v1alpha) on every ingress; unreadable requests are the caller's mistake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from router.errors import CallerError, OverloadError
from server.ingress.malformed import MalformedRequest, TolerantRegistrar
from server.ingress.status import Refusal, refusal_of
from server.rpc.methods import REFLECTION_SERVICE, service_names

MAX_STREAMS = 16
_REQUEST_BYTES = 4_096
_REQUESTS: dict[str, type[Message]] = {"ServerReflectionInfo": reflection_pb2.ServerReflectionRequest}
_LOOK_INTERVAL_S = 0.25
_AGAIN_S = 1.0


class ReflectionStreams:
    """The streams of one process; at most `MAX_STREAMS` are open at once, since each counts as a call."""

    def __init__(self, draining: Callable[[], bool] = lambda: False) -> None:
        """`draining`: whether the process stops; open streams then end, since they would delay it."""
        self._library = reflection.aio.ReflectionServicer((*service_names(), REFLECTION_SERVICE))
        self._draining = draining
        self._open = 0

    async def answers(
        self, requests: AsyncIterator[reflection_pb2.ServerReflectionRequest | MalformedRequest]
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse | Refusal]:
        """The answer to each request; a refusal is the last one."""
        if self._open >= MAX_STREAMS:
            yield refusal_of(OverloadError(_AGAIN_S, f"{self._open} reflection streams are open"))
            return
        unreadable: list[MalformedRequest] = []

        async def readable() -> AsyncIterator[Message]:
            async for request in self._until_drained(requests):
                if isinstance(request, MalformedRequest):
                    unreadable.append(request)
                    return
                yield request

        self._open += 1
        try:
            async for response in self._library.ServerReflectionInfo(readable(), None):
                yield response
        finally:
            self._open -= 1
        for request in unreadable:
            yield refusal_of(CallerError([request.violation]))

    async def _until_drained(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        while True:
            coming = asyncio.ensure_future(anext(requests, None))
            try:
                while not coming.done() and not self._draining():
                    await asyncio.wait((coming,), timeout=_LOOK_INTERVAL_S)
                if not coming.done() or coming.result() is None:
                    return
            finally:
                coming.cancel()
            yield coming.result()


def add_reflection_service(servicer: Any, server: Any) -> None:
    """Adds `grpc.reflection.v1alpha.ServerReflection` to a server.

    Unreadable requests reach the servicer as `MalformedRequest`.
    """
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
        servicer, TolerantRegistrar(server, _REQUESTS, _REQUEST_BYTES)
    )


def add_reflection(server: Any, draining: Callable[[], bool] = lambda: False) -> None:
    """Adds reflection of every registered service, of health and of itself to a `grpc.aio` server.

    `draining`: whether the server is about to stop; open streams end then.
    """
    add_reflection_service(_Servicer(ReflectionStreams(draining)), server)


class _Servicer:
    def __init__(self, streams: ReflectionStreams) -> None:
        self._streams = streams

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterator[Any], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[Message]:
        async for answer in self._streams.answers(request_iterator):
            if isinstance(answer, Refusal):
                await context.abort(answer.code, answer.details, answer.trailing_metadata)
            else:
                yield answer
