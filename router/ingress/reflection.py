"""Server reflection (v1alpha) that answers unreadable requests as the caller's mistake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from router.errors import CallerError
from router.ingress.malformed import MalformedRequest, TolerantRegistrar
from router.ingress.status import refusal_of

REFLECTION_SERVICE: str = reflection.SERVICE_NAME
_REQUESTS: dict[str, type[Message]] = {"ServerReflectionInfo": reflection_pb2.ServerReflectionRequest}


def add_reflection(service_names: Sequence[str], server: Any) -> None:
    """Adds reflection of the services named and of itself."""
    servicer = _TolerantReflection((*service_names, REFLECTION_SERVICE))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, TolerantRegistrar(server, _REQUESTS))


class _TolerantReflection(reflection.aio.ReflectionServicer):  # type: ignore[misc]
    """The library's servicer behind a look at each request."""

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterator[Any], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[Message]:
        async def readable() -> AsyncIterator[Message]:
            async for request in request_iterator:
                if isinstance(request, MalformedRequest):
                    refusal = refusal_of(CallerError([request.violation]))
                    await context.abort(refusal.code, refusal.details, refusal.trailing_metadata)
                yield request

        async for response in super().ServerReflectionInfo(readable(), context):
            yield response
