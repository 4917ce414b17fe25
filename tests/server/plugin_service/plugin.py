"""The plug-in: one handler and one line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.errors import CallerError
from router.service.call import Call
from server.rpc.service import MethodOptions, Service
from tests.server.plugin_service import greeting_pb2

if TYPE_CHECKING:
    from server.running_service import RunningService

SMALL, LARGE = 2_000, 9 * 2**20


class GreetingHandler:
    """Answers from what the router has."""

    def __init__(self, running: RunningService) -> None:
        self._running = running

    async def Greet(self, request: greeting_pb2.GreetRequest, call: Call) -> greeting_pb2.Greeting:
        """A greeting by name."""
        if not request.name:
            raise CallerError.of("name", "is required")
        if request.name == "bug":
            raise KeyError("secret")
        if request.name == "wrong type":
            return greeting_pb2.PictureSize()  # type: ignore[return-value]
        return greeting_pb2.Greeting(
            text=f"Hello {request.name}", known_scenes=len(self._running.service.scenes)
        )

    async def MeasurePicture(self, request: greeting_pb2.Picture, call: Call) -> greeting_pb2.PictureSize:
        """The size of a picture, of one that begins with "slow" after a while."""
        if request.content.startswith(b"slow"):
            await asyncio.sleep(0.5)
        return greeting_pb2.PictureSize(bytes=len(request.content))


SERVICES = {
    "greeting": Service(
        greeting_pb2.DESCRIPTOR.services_by_name["GreetingService"],
        GreetingHandler,
        methods={
            "Greet": MethodOptions(request_bytes=SMALL),
            "MeasurePicture": MethodOptions(cost="bulk", request_bytes=LARGE, concurrent=1),
        },
    )
}
