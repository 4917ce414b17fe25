"""The RPC service `grpc.health.v1.Health`, from the recommendation service's own state.

Protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from grpc_health.v1 import health_pb2

from router.errors import CallerError, OverloadError
from router.service.serving_state import ServingState
from server.ingress.malformed import MalformedRequest
from server.ingress.status import Refusal, not_found_refusal, refusal_of
from server.rpc.methods import service_names

_WHOLE_SERVER = ""
_WATCH_INTERVAL_S = 0.25
_WATCH_AGAIN_S = 10.0

_Status = health_pb2.HealthCheckResponse


class HealthService:
    """Answers Check and Watch; every service of the router shares one state."""

    def __init__(
        self,
        serving_state: Callable[[], ServingState],
        max_watches: int,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        """Creates the service of one replica.

        Args:
            serving_state: whether the router can answer.
            max_watches: Watch streams open at once; a further one ends at once, RESOURCE_EXHAUSTED.
            leaving: whether this process stops behind a proxy that sends callers elsewhere. A Watch then
                ends without NOT_SERVING, since the address continues to serve.
        """
        self._serving_state = serving_state
        self._services = (_WHOLE_SERVER, *service_names())
        self._max_watches = max_watches
        self._leaving = leaving
        self._watches = 0
        self._draining = False

    def drain(self) -> None:
        """Reports NOT_SERVING from now on, so that load balancers look elsewhere, and ends every Watch."""
        self._draining = True

    def check(
        self, request: health_pb2.HealthCheckRequest | MalformedRequest
    ) -> health_pb2.HealthCheckResponse | Refusal:
        """The state of one service; NOT_FOUND where the router has no such service."""
        if isinstance(request, MalformedRequest):
            return refusal_of(CallerError([request.violation]))
        if request.service not in self._services:
            return not_found_refusal(f"no such service; ask for one of {', '.join(self._services[1:])}")
        return _Status(status=self._status())

    def watch_refusal(self) -> Refusal | None:
        """Why no further Watch may begin; None where one may."""
        if self._watches < self._max_watches:
            return None
        return refusal_of(OverloadError(_WATCH_AGAIN_S, f"{self._watches} health watches are open"))

    async def watch(
        self, request: health_pb2.HealthCheckRequest | MalformedRequest
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The state of one service now and after every change, until the caller leaves or the router does."""
        known = not isinstance(request, MalformedRequest) and request.service in self._services
        sent = None
        self._watches += 1
        try:
            while not self._leaving():
                # Looked at before the status: the drain may begin while the status is being sent.
                draining = self._draining
                status = self._status() if known else _Status.SERVICE_UNKNOWN
                if status != sent:
                    sent = status
                    yield _Status(status=status)
                if draining:
                    # An open stream would hold up the drain until its end.
                    return
                await asyncio.sleep(_WATCH_INTERVAL_S)
        finally:
            self._watches -= 1

    def _status(self) -> health_pb2.HealthCheckResponse.ServingStatus:
        serving = not self._draining and self._serving_state().serving
        return _Status.SERVING if serving else _Status.NOT_SERVING
