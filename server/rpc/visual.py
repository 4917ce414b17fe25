"""`shopfront.v1.VisualService`: items by what they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protos.shopfront.v1 import visual_pb2
from router.service.call import Call
from router.service.validation import MAX_EXCLUDED
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from server.startup import RunningService

# A photo of 1.5 MiB, and 1,000 excluded items with the longest ids.
_REQUEST_BYTES = 2 * 2**20


class VisualHandler:
    """Answers through the photo search of this replica."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._photo_search = running.photo_search

    async def SearchByImage(
        self, request: visual_pb2.SearchByImageRequest, call: Call
    ) -> visual_pb2.SearchByImageResponse:
        """Items that look like a picture."""
        return await self._photo_search.search(request, call)

    async def PredictCategory(
        self, request: visual_pb2.PredictCategoryRequest, call: Call
    ) -> visual_pb2.PredictCategoryResponse:
        """Categories of what a picture shows."""
        return await self._photo_search.predict(request, call)


SERVICE = Service(
    visual_pb2.DESCRIPTOR.services_by_name["VisualService"],
    VisualHandler,
    MethodOptions(
        # Decoding takes many times what the event loop does for a page, in threads of their own.
        cost="bulk",
        concurrent=4,
        request_bytes=_REQUEST_BYTES,
        repeated={"excluded_item_ids": MAX_EXCLUDED},
    ),
)
