"""Titles of the items because of which others were recalled, asked of the router that answered."""

from __future__ import annotations

import grpc

from protos.shopfront.v1.admin_pb2 import DescribeItemsRequest
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceStub
from protos.shopfront.v1.recommend_pb2 import RecommendResponse
from server.ingress.client_channel import RouterAddress, open_channel

_MOST = 200
_TIMEOUT_S = 2.0
# A router of an older release, one that shows this caller nothing, or one too busy to: ids are enough.
_WITHOUT = frozenset(
    {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
    }
)


def titles_of_triggers(router: RouterAddress, answer: RecommendResponse) -> dict[str, str]:
    """Titles by item id, of at most 200 triggers of the answer; none where the router does not tell them.

    Raises `grpc.RpcError` where the call fails for another reason.
    """
    ids = sorted({reason.trigger_item_id for item in answer.items for reason in item.reasons} - {""})[:_MOST]
    if not ids:
        return {}
    try:
        with open_channel(router) as channel:
            request = DescribeItemsRequest(item_ids=ids)
            described = AdminServiceStub(channel).DescribeItems(request, timeout=_TIMEOUT_S)
    except grpc.RpcError as error:
        if error.code() in _WITHOUT:
            return {}
        raise
    return {item.item_id: item.title for item in described.items if item.title}
