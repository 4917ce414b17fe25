"""`shopfront.v1.FeedbackService`: what shoppers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learning.satisfaction.limits import MAX_ITEMS, MAX_RATINGS, MAX_REASONS
from protos.shopfront.v1 import feedback_pb2
from router.service.call import Call
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from server.running_service import RunningService

# Feedback with every field at its limit has less than 32 KiB. A text of a megabyte is read all the
# same, so that the answer can name its field.
_REQUEST_BYTES = 2 * 2**20


class FeedbackHandler:
    """Stores feedback and answers whom to ask."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._feedback = running.feedback

    async def SendFeedback(
        self, request: feedback_pb2.SendFeedbackRequest, call: Call
    ) -> feedback_pb2.SendFeedbackResponse:
        """Stores feedback; returns when it is durable."""
        return await self._feedback.send(request, call)

    async def ShouldAsk(
        self, request: feedback_pb2.ShouldAskRequest, call: Call
    ) -> feedback_pb2.ShouldAskResponse:
        """Whether to ask the shopper now."""
        return await self._feedback.should_ask(request, call)


SERVICE = Service(
    feedback_pb2.DESCRIPTOR.services_by_name["FeedbackService"],
    FeedbackHandler,
    methods={
        "SendFeedback": MethodOptions(
            request_bytes=_REQUEST_BYTES,
            repeated={"ratings": MAX_RATINGS, "reasons": MAX_REASONS, "items": MAX_ITEMS},
            # Feedback without a feedback_id is recognised by the id of its call.
            sender_id=True,
        ),
        "ShouldAsk": MethodOptions(request_bytes=4 * 1024),
    },
)
