"""`grpc.health.v1.Health` over the service's own view of its health.

Protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from grpc_health.v1 import health_pb2

from router.errors import CallerError
from router.ingress.malformed import MalformedRequest
from router.ingress.services import EVENT_SERVICE, HEALTH_SERVICE, RECOMMEND_SERVICE, ROLLOUT_SERVICE
from router.ingress.status import Refusal, not_found_refusal, refusal_of
from router.service.health import Health

_WHOLE_SERVER = ""
CHECKED_SERVICES = (_WHOLE_SERVER, RECOMMEND_SERVICE, EVENT_SERVICE, ROLLOUT_SERVICE, HEALTH_SERVICE)
_WATCH_INTERVAL_S = 0.25

_Status = health_pb2.HealthCheckResponse


class HealthChecks:
    """Answers Check and Watch; every service of the router shares one state."""

    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health

    def check(
        self, request: health_pb2.HealthCheckRequest | MalformedRequest
    ) -> health_pb2.HealthCheckResponse | Refusal:
        """The state of one service; NOT_FOUND for a service that is not here."""
        if isinstance(request, MalformedRequest):
            return refusal_of(CallerError([request.violation]))
        if request.service not in CHECKED_SERVICES:
            return not_found_refusal(f"no such service; ask for one of {', '.join(CHECKED_SERVICES[1:])}")
        return _Status(status=self._status())

    async def watch(
        self, request: health_pb2.HealthCheckRequest | MalformedRequest
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The state of one service now and after every change, until the caller leaves."""
        known = not isinstance(request, MalformedRequest) and request.service in CHECKED_SERVICES
        sent = None
        while True:
            status = self._status() if known else _Status.SERVICE_UNKNOWN
            if status != sent:
                sent = status
                yield _Status(status=status)
            await asyncio.sleep(_WATCH_INTERVAL_S)

    def _status(self) -> health_pb2.HealthCheckResponse.ServingStatus:
        return _Status.SERVING if self._health().serving else _Status.NOT_SERVING
