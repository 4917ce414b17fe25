"""`shopfront.v1.RecommendService`: pages of recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protos.shopfront.v1 import recommend_pb2
from router.limits import MAX_CART_ITEMS, MAX_EXCLUDED, MAX_SCENES
from router.service.call import Call
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from server.running_service import RunningService

# 1,000 excluded items and 200 of a cart with the longest ids take 310 KiB.
_REQUEST_BYTES = 512 * 1024
_REPEATED = {
    "scenes": MAX_SCENES,
    "excluded_item_ids": MAX_EXCLUDED,
    "cart_item_ids": MAX_CART_ITEMS,
    "cart_quantities": MAX_CART_ITEMS,
}


class RecommendHandler:
    """Answers through the recommendation service."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._service = running.service

    async def Recommend(
        self, request: recommend_pb2.RecommendRequest, call: Call
    ) -> recommend_pb2.RecommendResponse:
        """Items for one scene."""
        return await self._service.recommend(request, call)

    async def RecommendPage(
        self, request: recommend_pb2.RecommendPageRequest, call: Call
    ) -> recommend_pb2.RecommendPageResponse:
        """Items for several scenes of one page."""
        return await self._service.recommend_page(request, call)

    async def SimilarItems(
        self, request: recommend_pb2.SimilarItemsRequest, call: Call
    ) -> recommend_pb2.RecommendResponse:
        """Items that go with one item."""
        return await self._service.similar_items(request, call)


SERVICE = Service(
    recommend_pb2.DESCRIPTOR.services_by_name["RecommendService"],
    RecommendHandler,
    MethodOptions(request_bytes=_REQUEST_BYTES, repeated=_REPEATED),
)
