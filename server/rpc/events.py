"""`shopfront.v1.EventService`: what shoppers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protos.shopfront.v1 import event_pb2
from router.limits import MAX_EVENTS
from router.service.call import Call
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from server.running_service import RunningService

# An event with every field at its limit has less than 2,000 bytes.
_REQUEST_BYTES = 2 * 2**20


class EventHandler:
    """Stores events through the recommendation service."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._service = running.service

    async def ReportEvents(
        self, request: event_pb2.ReportEventsRequest, call: Call
    ) -> event_pb2.ReportEventsResponse:
        """Stores events; returns when they are durable."""
        return await self._service.report_events(request, call)


SERVICE = Service(
    event_pb2.DESCRIPTOR.services_by_name["EventService"],
    EventHandler,
    methods={
        "ReportEvents": MethodOptions(
            request_bytes=_REQUEST_BYTES,
            repeated={"events": MAX_EVENTS},
            # An event without an event_id is recognised by the id of its call.
            sender_id=True,
        )
    },
)
