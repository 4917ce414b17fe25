"""A router of an older release, whose titles and numbers are as bad as can be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from protos.shopfront.v1 import admin_pb2, event_pb2, recommend_pb2
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceServicer, add_AdminServiceServicer_to_server
from protos.shopfront.v1.event_pb2_grpc import EventServiceServicer, add_EventServiceServicer_to_server
from protos.shopfront.v1.recommend_pb2_grpc import (
    RecommendServiceServicer,
    add_RecommendServiceServicer_to_server,
)

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>' + "y" * 10_000
PICTURES = {
    "good": ("image/jpeg", b"\xff\xd8\xff and so on"),
    "drawing": ("image/svg+xml", b"<svg onload='alert(1)'/>"),
    "page": ("image/jpeg", b"<script>alert(1)</script>"),
    "huge": ("image/jpeg", b"\xff\xd8\xff" + bytes(70_000)),
}
"""Item → type and content of its picture."""
EVENTS: list[event_pb2.Event] = []


class Admin(AdminServiceServicer):
    """Knows one scene and one item; what else it has is UNIMPLEMENTED, as in an older release."""

    def InspectScenes(self, request: Any, context: Any) -> Any:
        return admin_pb2.InspectScenesResponse(
            scenes=[
                admin_pb2.SceneDetails(
                    name="home",
                    channel_shares=[admin_pb2.ChannelShare(channel=HOSTILE[:99], segment=HOSTILE[:99])],
                )
            ]
        )

    def InspectVersions(self, request: Any, context: Any) -> Any:
        return admin_pb2.InspectVersionsResponse(snapshot_id="s1", models={"bst": "1"})

    def DescribeItems(self, request: Any, context: Any) -> Any:
        items = [admin_pb2.ItemSummary(item_id=each, title=HOSTILE) for each in request.item_ids]
        return admin_pb2.DescribeItemsResponse(items=items)

    def ReadItemPicture(self, request: Any, context: Any) -> Any:
        kind, content = PICTURES[request.item_id]
        return admin_pb2.ReadItemPictureResponse(content=content, content_type=kind)

    def ExplainPage(self, request: Any, context: Any) -> Any:
        item = admin_pb2.ItemSummary(item_id="i1", title=HOSTILE)
        return admin_pb2.ExplainPageResponse(
            page=recommend_pb2.RecommendResponse(
                trace=recommend_pb2.Trace(
                    stages=[recommend_pb2.StageTrace(stage=HOSTILE[:99], elapsed_ms=float("nan"))],
                    total_ms=float("inf"),
                )
            ),
            items=[admin_pb2.ItemExplanation(item=item, position=1, scores={"score": float("nan")})],
        )

    def InspectShopper(self, request: Any, context: Any) -> Any:
        """A shopper who put i1 into the cart and took i2 out of it."""
        done = [("remove_from_cart", "i2"), ("cart", "i1"), ("cart", "i2"), ("cart", "i1")]
        return admin_pb2.InspectShopperResponse(
            events=[
                admin_pb2.ShopperEvent(item=admin_pb2.ItemSummary(item_id=item), type=kind, at=100 - at)
                for at, (kind, item) in enumerate(done)
            ]
        )


class Recommend(RecommendServiceServicer):
    """One item per scene."""

    def RecommendPage(self, request: Any, context: Any) -> Any:
        item = recommend_pb2.RecommendedItem(item_id="i1", score=float("nan"))
        return recommend_pb2.RecommendPageResponse(
            scenes=[
                recommend_pb2.RecommendResponse(scene=each.scene, items=[item], attribution_token="t")
                for each in request.scenes
            ]
        )


class Events(EventServiceServicer):
    """Keeps what is reported."""

    def ReportEvents(self, request: Any, context: Any) -> Any:
        EVENTS.extend(request.events)
        return event_pb2.ReportEventsResponse(accepted=len(request.events))


def router(port: int) -> grpc.Server:
    """A server of the contract at a port, started."""
    server = grpc.server(ThreadPoolExecutor(4))
    add_AdminServiceServicer_to_server(Admin(), server)
    add_RecommendServiceServicer_to_server(Recommend(), server)
    add_EventServiceServicer_to_server(Events(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server
