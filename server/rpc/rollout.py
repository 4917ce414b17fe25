"""`shopfront.v1.RolloutService`: what operators do with rollouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protos.shopfront.v1 import rollout_pb2
from rollout.bounds import MAX_STAGES
from router.service.call import Call
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from server.running_service import RunningService

_REQUEST_BYTES = 16 * 1024


class RolloutHandler:
    """Answers through the operations of rollouts."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._operations = running.rollouts.operations

    async def StartRollout(
        self, request: rollout_pb2.StartRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """Starts a rollout."""
        return await self._operations.start(request, call)

    async def GetRollout(
        self, request: rollout_pb2.GetRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """The state of the model's rollout."""
        return await self._operations.get(request, call)

    async def PauseRollout(
        self, request: rollout_pb2.ChangeRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """Holds the current stage."""
        return await self._operations.pause(request, call)

    async def ResumeRollout(
        self, request: rollout_pb2.ChangeRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """Continues a paused rollout."""
        return await self._operations.resume(request, call)

    async def PromoteRollout(
        self, request: rollout_pb2.ChangeRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """Makes the candidate the stable version."""
        return await self._operations.promote(request, call)

    async def AbortRollout(
        self, request: rollout_pb2.ChangeRolloutRequest, call: Call
    ) -> rollout_pb2.RolloutStatus:
        """Ends the rollout."""
        return await self._operations.abort(request, call)

    async def GetRolloutHistory(
        self, request: rollout_pb2.GetRolloutHistoryRequest, call: Call
    ) -> rollout_pb2.RolloutHistory:
        """What happened to the model's rollouts."""
        return await self._operations.history(request, call)


SERVICE = Service(
    rollout_pb2.DESCRIPTOR.services_by_name["RolloutService"],
    RolloutHandler,
    MethodOptions(
        cost="control", request_bytes=_REQUEST_BYTES, repeated={"stages": MAX_STAGES}, operators=True
    ),
)
