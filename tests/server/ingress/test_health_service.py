"""Watches of a server that begins to stop."""

import pytest
from grpc_health.v1 import health_pb2

from router.service.serving_state import ServingState
from server.ingress.health_service import HealthService

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_watch_reports_a_drain_that_begins_while_it_sends() -> None:
    service = HealthService(lambda: ServingState(True), max_watches=1)
    watch = service.watch(health_pb2.HealthCheckRequest())
    assert (await anext(watch)).status == SERVING
    # The stream waits for the caller to take the message.
    service.drain()
    assert (await anext(watch)).status == NOT_SERVING
    with pytest.raises(StopAsyncIteration):
        await anext(watch)
