"""Titles of triggers come from the router that answered, and ids serve where it does not tell them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from protos.shopfront.v1 import admin_pb2
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceServicer, add_AdminServiceServicer_to_server
from protos.shopfront.v1.recommend_pb2 import Reason, RecommendedItem, RecommendResponse
from server.ingress.client_channel import RouterAddress
from shopfront.trigger_titles import titles_of_triggers

ANSWER = RecommendResponse(
    items=[
        RecommendedItem(
            item_id="1", reasons=[Reason(channel="ranki2i", trigger_item_id="7"), Reason(channel="hot")]
        ),
        RecommendedItem(item_id="2", reasons=[Reason(channel="mind", trigger_item_id="8")]),
    ]
)


class Admin(AdminServiceServicer):
    """Knows the title of item 7, or ends every call with `code`."""

    def __init__(self, code: grpc.StatusCode | None = None) -> None:
        self.code = code
        self.asked: list[list[str]] = []

    def DescribeItems(self, request: Any, context: Any) -> Any:
        self.asked.append(list(request.item_ids))
        if self.code is not None:
            context.abort(self.code, "as the test says")
        titles = {"7": "Green tea"}
        return admin_pb2.DescribeItemsResponse(
            items=[
                admin_pb2.ItemSummary(item_id=each, title=titles.get(each, "")) for each in request.item_ids
            ]
        )


@contextmanager
def router(admin: Admin) -> Iterator[RouterAddress]:
    server = grpc.server(ThreadPoolExecutor(2))
    add_AdminServiceServicer_to_server(admin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield RouterAddress(f"127.0.0.1:{port}")
    finally:
        server.stop(None).wait()


def test_each_trigger_is_asked_for_once_and_one_without_a_title_keeps_its_id() -> None:
    admin = Admin()
    with router(admin) as address:
        assert titles_of_triggers(address, ANSWER) == {"7": "Green tea"}
    assert admin.asked == [["7", "8"]]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.PERMISSION_DENIED])
def test_a_router_that_tells_no_titles_leaves_ids(code: grpc.StatusCode) -> None:
    with router(Admin(code)) as address:
        assert titles_of_triggers(address, ANSWER) == {}


def test_a_bug_of_the_router_is_not_hidden() -> None:
    with router(Admin(grpc.StatusCode.INTERNAL)) as address, pytest.raises(grpc.RpcError, match="INTERNAL"):
        titles_of_triggers(address, ANSWER)


def test_without_triggers_nobody_is_asked() -> None:
    admin = Admin()
    with router(admin) as address:
        assert titles_of_triggers(address, RecommendResponse()) == {}
    assert admin.asked == []
