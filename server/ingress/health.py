"""`grpc.health.v1.Health` over the service's own view of its health.

Protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from grpc_health.v1 import health_pb2

from router.errors import CallerError, OverloadError
from router.service.health import Health
from server.ingress.malformed import MalformedRequest
from server.ingress.services import EVENT_SERVICE, HEALTH_SERVICE, RECOMMEND_SERVICE, ROLLOUT_SERVICE
from server.ingress.status import Refusal, not_found_refusal, refusal_of

_WHOLE_SERVER = ""
CHECKED_SERVICES = (_WHOLE_SERVER, RECOMMEND_SERVICE, EVENT_SERVICE, ROLLOUT_SERVICE, HEALTH_SERVICE)
_WATCH_INTERVAL_S = 0.25
_WATCH_AGAIN_S = 10.0

_Status = health_pb2.HealthCheckResponse


class HealthChecks:
    """Answers Check and Watch; every service of the router shares one state."""

    def __init__(
        self, health: Callable[[], Health], max_watches: int, leaving: Callable[[], bool] = lambda: False
    ) -> None:
        """`max_watches`: Watch streams open at once; a further one ends at once, RESOURCE_EXHAUSTED.

        `leaving`: whether this process stops behind a proxy that sends callers elsewhere. A Watch then ends
        without NOT_SERVING, since the address goes on serving.
        """
        self._health = health
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
        """The state of one service; NOT_FOUND for a service that is not here."""
        if isinstance(request, MalformedRequest):
            return refusal_of(CallerError([request.violation]))
        if request.service not in CHECKED_SERVICES:
            return not_found_refusal(f"no such service; ask for one of {', '.join(CHECKED_SERVICES[1:])}")
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
        known = not isinstance(request, MalformedRequest) and request.service in CHECKED_SERVICES
        sent = None
        self._watches += 1
        try:
            while not self._leaving():
                status = self._status() if known else _Status.SERVICE_UNKNOWN
                if status != sent:
                    sent = status
                    yield _Status(status=status)
                if self._draining:
                    # An open stream would hold up the drain until its end.
                    return
                await asyncio.sleep(_WATCH_INTERVAL_S)
        finally:
            self._watches -= 1

    def _status(self) -> health_pb2.HealthCheckResponse.ServingStatus:
        serving = not self._draining and self._health().serving
        return _Status.SERVING if serving else _Status.NOT_SERVING
