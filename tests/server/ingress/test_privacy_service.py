"""What operators are promised of `PrivacyService`, through every ingress."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from protos.shopfront.v1.admin_pb2 import ListRecentPagesRequest
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceStub
from protos.shopfront.v1.event_pb2 import Event, EventType, ReportEventsRequest
from protos.shopfront.v1.feedback_pb2 import SendFeedbackRequest
from protos.shopfront.v1.feedback_pb2_grpc import FeedbackServiceStub
from protos.shopfront.v1.privacy_pb2 import DeleteShopperRequest, ExportShopperRequest, ShopperRecord
from protos.shopfront.v1.privacy_pb2_grpc import PrivacyServiceStub
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from testing.running_router import Ingress
from testing.served_shop import ServedShop


@pytest.fixture
def privacy(ingress: Ingress) -> Iterator[PrivacyServiceStub]:
    with grpc.insecure_channel(ingress.address) as channel:
        yield PrivacyServiceStub(channel)


@pytest.fixture
def shopper() -> str:
    return f"shopper-{uuid.uuid4().hex}"


def exported(privacy: PrivacyServiceStub, shopper: str) -> list[ShopperRecord]:
    records: list[ShopperRecord] = []
    token = ""
    while True:
        part = privacy.ExportShopper(ExportShopperRequest(user_id=shopper, page_token=token), timeout=60)
        records += part.records
        token = part.next_page_token
        if not token:
            return records


def test_a_shopper_sees_all_that_is_held_and_has_it_deleted(
    ingress: Ingress, shop: ServedShop, privacy: PrivacyServiceStub, shopper: str
) -> None:
    answer = ingress.recommend.Recommend(
        RecommendRequest(scene="home", user_id=shopper, page_size=5), timeout=10
    )
    item = answer.items[0].item_id
    event = Event(
        user_id=shopper,
        item_id=item,
        type=EventType.EVENT_TYPE_PURCHASE,
        attribution_token=answer.attribution_token,
        query="a wish of hers",
    )
    ingress.events.ReportEvents(ReportEventsRequest(events=[event] * 600), timeout=20)
    with grpc.insecure_channel(ingress.address) as channel:
        feedback = FeedbackServiceStub(channel)
        feedback.SendFeedback(SendFeedbackRequest(user_id=shopper, comment="what she thinks"), timeout=10)

    records = exported(privacy, shopper)
    text = "".join(record.json for record in records)
    assert text.count("a wish of hers") == 600
    assert "what she thinks" in text
    assert {json.loads(record.json).get("record") for record in records} >= {
        "behaviours",
        "purchases",
        "surveys",
    }
    # Replicas of one router share the salt of their recordings.
    recorded = [record.place for record in records if "recordings" in record.place]
    places = {record.place.removeprefix("lmdb://") for record in records} - set(recorded)
    assert places == {str(shop.folder / "state"), f"{shop.folder / 'state'} (event log)"}

    deleted = privacy.DeleteShopper(DeleteShopperRequest(user_id=shopper), timeout=60)
    assert deleted.found
    removed = {each.what: each.count for each in deleted.removed}
    assert removed["events of the log"] == 601
    assert removed.get("recorded requests", 0) == len(recorded)
    assert deleted.compacted
    # The snapshot is of before; that is pending until the next build, and nothing else is.
    assert [each.place for each in deleted.pending] == [
        str(shop.snapshots.root / id) for id in shop.snapshots.ids()
    ]
    assert "build" in deleted.pending[0].until
    assert any("router.log" in each.place for each in deleted.remaining)
    assert any("recordings" in each.place and "recording.salt" in each.fate for each in deleted.remaining)
    found = (shop.folder / "state" / "data.mdb").read_bytes()
    assert shopper.encode() not in found
    assert b"a wish of hers" not in found
    assert exported(privacy, shopper) == []
    with grpc.insecure_channel(ingress.address) as channel:
        looked = AdminServiceStub(channel)
        deadline = time.monotonic() + 20
        while looked.ListRecentPages(ListRecentPagesRequest(user_id=shopper), timeout=10).pages:
            assert time.monotonic() < deadline, "pages of hers are still in memory"
            time.sleep(0.2)

    again = privacy.DeleteShopper(DeleteShopperRequest(user_id=shopper), timeout=60)
    assert not again.found
    assert not again.removed
    assert again.deleted_until_ms > deleted.deleted_until_ms


def test_no_call_of_others_fails_meanwhile(ingress: Ingress, privacy: PrivacyServiceStub) -> None:
    stop = threading.Event()
    answered: list[str] = []

    def shop(user: str) -> None:
        while not stop.is_set():
            answer = ingress.recommend.Recommend(
                RecommendRequest(scene="home", user_id=user, page_size=5), timeout=10
            )
            assert "state" not in answer.degraded
            event = Event(user_id=user, item_id=answer.items[0].item_id, type=EventType.EVENT_TYPE_VIEW)
            ingress.events.ReportEvents(ReportEventsRequest(events=[event]), timeout=10)
            answered.append(user)

    others = [f"other-{uuid.uuid4().hex}" for _ in range(3)]
    with ThreadPoolExecutor(len(others)) as shoppers:
        running = [shoppers.submit(shop, user) for user in others]
        try:
            for user in others[:2]:
                before = len(answered)
                privacy.DeleteShopper(DeleteShopperRequest(user_id=user), timeout=60)
                assert len(answered) > before
        finally:
            stop.set()
    for shopper in running:
        shopper.result()
    # What they did after they were deleted is stored as ever.
    assert exported(privacy, others[0])


def test_what_a_caller_gets_wrong_is_named(privacy: PrivacyServiceStub) -> None:
    for call, request in (
        (privacy.DeleteShopper, DeleteShopperRequest()),
        (privacy.DeleteShopper, DeleteShopperRequest(user_id="x" * 257)),
        (privacy.ExportShopper, ExportShopperRequest()),
        (privacy.ExportShopper, ExportShopperRequest(user_id="u", page_token="٣")),
        (privacy.ExportShopper, ExportShopperRequest(user_id="u", page_token="9" * 30)),
    ):
        with pytest.raises(grpc.RpcError) as error:
            call(request, timeout=10)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
