"""AdminService behind every ingress: what it shows, and what it refuses."""

from __future__ import annotations

import json
import time

import grpc
import pytest

from protos.shopfront.v1 import admin_pb2, event_pb2, recommend_pb2
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceStub
from testing.running_router import Ingress

_S = 20


def admin(ingress: Ingress) -> AdminServiceStub:
    """A client of AdminService."""
    return AdminServiceStub(ingress.channel)


def refused(call: object, request: object) -> tuple[grpc.StatusCode, str]:
    """Code and text of a refused call."""
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=_S)  # type: ignore[operator]
    return error.value.code(), error.value.details()


def test_a_page_is_explained_as_it_is_shown(ingress: Ingress) -> None:
    shown = ingress.recommend.Recommend(
        recommend_pb2.RecommendRequest(scene="home", user_id="u0003", page_size=8), timeout=_S
    )
    ids = [item.item_id for item in shown.items]
    request = admin_pb2.ExplainPageRequest(
        scene="home", user_id="u0003", page_size=8, item_ids=["i9999", ids[0]]
    )
    found = admin(ingress).ExplainPage(request, timeout=_S)
    assert [item.item_id for item in found.page.items] == ids
    assert found.page.trace.stages
    assert not found.page.attribution_token
    on_page, unknown = found.items[:8], found.items[8:]
    assert [each.item.item_id for each in on_page] == ids
    assert [each.position for each in on_page] == list(range(1, 9))
    assert all(each.channels and each.ranks[-1].stage == "page" and each.scores for each in on_page)
    assert [(each.item.item_id, each.lost_at) for each in unknown] == [("i9999", "catalogue")]


def test_every_item_of_the_catalogue_is_on_the_page_or_was_lost_somewhere(ingress: Ingress) -> None:
    stages = set()
    for first in range(0, 120, 20):
        wanted = [f"i{number:04}" for number in range(first, first + 20)]
        found = admin(ingress).ExplainPage(
            admin_pb2.ExplainPageRequest(scene="home", user_id="u0003", page_size=5, item_ids=wanted),
            timeout=_S,
        )
        explained = {each.item.item_id: each for each in found.items}
        assert set(wanted) <= set(explained)
        for each in explained.values():
            assert bool(each.position) != bool(each.lost_at)
            assert bool(each.lost_because) == bool(each.lost_at)
        stages |= {each.lost_at for each in explained.values()}
    assert "page" in stages
    assert stages & {"recall", "fusion", "filter:already_bought", "filter:out_of_stock", "filter:adult"}


def test_explaining_records_nothing(ingress: Ingress) -> None:
    before = admin(ingress).InspectShopper(admin_pb2.InspectShopperRequest(user_id="u0007"), timeout=_S)
    admin(ingress).ExplainPage(admin_pb2.ExplainPageRequest(scene="home", user_id="nobody-asked"), timeout=_S)
    recent = admin(ingress).ListRecentPages(
        admin_pb2.ListRecentPagesRequest(user_id="nobody-asked"), timeout=_S
    )
    assert not recent.pages
    after = admin(ingress).InspectShopper(admin_pb2.InspectShopperRequest(user_id="u0007"), timeout=_S)
    assert before == after


def test_a_page_about_an_item_names_it_as_the_cause(ingress: Ingress) -> None:
    found = admin(ingress).ExplainPage(
        admin_pb2.ExplainPageRequest(scene="similar_items", anchor_item_id="i0010", page_size=5), timeout=_S
    )
    triggers = {find.trigger.item_id for each in found.items for find in each.channels} - {""}
    assert triggers == {"i0010"}


def test_a_crowd_is_explained_by_its_profile(ingress: Ingress) -> None:
    fields = admin(ingress).InspectProfiles(admin_pb2.InspectProfilesRequest(), timeout=_S).fields
    values = {field.name: list(field.values) for field in fields}
    assert values["gender"] == ["f", "m"]

    crowd = {"gender": "m", "age_band": values["age_band"][0]}
    request = admin_pb2.ExplainPageRequest(scene="home", profile=crowd, page_size=20)
    assert len(admin(ingress).ExplainPage(request, timeout=_S).page.items) == 20
    for wrong in ({"profile": {"shoe": "9"}}, {"profile": {"gender": "m"}, "user_id": "u0003"}):
        request = admin_pb2.ExplainPageRequest(scene="home", **wrong)  # type: ignore[arg-type]
        code, text = refused(admin(ingress).ExplainPage, request)
        assert (code, "profile" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def test_what_this_router_does_not_have_is_refused_in_words(ingress: Ingress) -> None:
    stub = admin(ingress)
    code, text = refused(stub.ReadItemPicture, admin_pb2.ReadItemPictureRequest(item_id="i0010"))
    assert (code, "no picture" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    code, text = refused(stub.ReadExperimentFile, admin_pb2.ReadExperimentFileRequest())
    assert (code, "router.experiments" in text) == (grpc.StatusCode.FAILED_PRECONDITION, True)
    code, _ = refused(stub.ReadStageTimes, admin_pb2.ReadStageTimesRequest(scene="nowhere"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert not stub.ListLoggedPages(admin_pb2.ListLoggedPagesRequest(), timeout=_S).pages
    code, _ = refused(stub.ListLoggedPages, admin_pb2.ListLoggedPagesRequest(limit=101))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_items_are_searched_and_shown_with_their_facts(ingress: Ingress) -> None:
    found = admin(ingress).SearchItems(admin_pb2.SearchItemsRequest(query="i0010"), timeout=_S)
    assert found.items[0].item_id == "i0010"
    category = found.items[0].category
    others = admin(ingress).SearchItems(
        admin_pb2.SearchItemsRequest(query=category.upper(), limit=3), timeout=_S
    )
    assert len(others.items) == 3
    assert all(category.casefold() in f"{each.title} {each.category}".casefold() for each in others.items)
    item = admin(ingress).InspectItem(admin_pb2.InspectItemRequest(item_id="i0010", neighbours=4), timeout=_S)
    facts = {fact.name: fact for fact in item.facts}
    assert facts["category"].value == category
    assert facts["price"].description
    near = {channel.channel: channel for channel in item.channels}
    assert 1 <= len(near["ranki2i"].neighbours) <= 4
    assert "hot" not in near
    assert "i0010" not in [each.item.item_id for each in near["ranki2i"].neighbours]


def test_items_are_described_in_the_order_asked(ingress: Ingress) -> None:
    request = admin_pb2.DescribeItemsRequest(item_ids=["i0020", "i9999", "i0010", "i0020"])
    found = admin(ingress).DescribeItems(request, timeout=_S).items
    assert [each.item_id for each in found] == list(request.item_ids)
    assert [bool(each.title) for each in found] == [True, False, True, True]
    many = admin_pb2.DescribeItemsRequest(item_ids=["i0020"] * 201)
    assert refused(admin(ingress).DescribeItems, many)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_shopper_is_shown_with_what_was_just_reported(ingress: Ingress) -> None:
    events = [
        event_pb2.Event(
            user_id="looked-at", item_id="i0011", type=kind, timestamp_ms=int(time.time() * 1_000)
        )
        for kind in (event_pb2.EVENT_TYPE_CART, event_pb2.EVENT_TYPE_REMOVE_FROM_CART)
    ]
    ingress.events.ReportEvents(event_pb2.ReportEventsRequest(events=events), timeout=_S)
    found = admin(ingress).InspectShopper(admin_pb2.InspectShopperRequest(user_id="looked-at"), timeout=_S)
    assert [(each.item.item_id, each.type) for each in found.events] == [
        ("i0011", "remove_from_cart"),
        ("i0011", "cart"),
    ]
    assert found.known_events == 2


def test_pages_that_were_answered_are_listed_by_the_replica_that_answered(ingress: Ingress) -> None:
    # Each of two replicas keeps its own.
    for _ in range(12):
        ingress.recommend.Recommend(
            recommend_pb2.RecommendRequest(scene="home", user_id="listed", page_size=3), timeout=_S
        )
    for _ in range(20):
        request = admin_pb2.ListRecentPagesRequest(user_id="listed", limit=5)
        pages = admin(ingress).ListRecentPages(request, timeout=_S).pages
        if pages:
            break
    assert pages
    assert {page.user_id for page in pages} == {"listed"}
    assert all(len(page.items) == 3 and page.items[0].title for page in pages)
    assert all(0 < page.took_ms < 60_000 for page in pages)


def test_scenes_and_versions_are_those_in_service(ingress: Ingress) -> None:
    found = admin(ingress).InspectScenes(admin_pb2.InspectScenesRequest(), timeout=_S)
    scenes = {scene.name: {row.key: row for row in scene.settings} for scene in found.scenes}
    assert set(scenes) == {"home", "cart", "similar_items"}
    share = scenes["home"]["channels.mind.share"]
    assert json.loads(share.value) == 0.3
    assert share.description
    assert all(row.description for rows in scenes.values() for row in rows.values())
    versions = admin(ingress).InspectVersions(admin_pb2.InspectVersionsRequest(), timeout=_S)
    assert versions.items == 120
    assert versions.models["bst"]
    assert versions.replica
    assert versions.replica_started_ms <= time.time() * 1_000


def test_what_cannot_be_shown_is_refused_with_its_reason(ingress: Ingress) -> None:
    stub = admin(ingress)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    assert refused(stub.ExplainPage, admin_pb2.ExplainPageRequest(scene="attic"))[0] is invalid
    assert refused(stub.ExplainPage, admin_pb2.ExplainPageRequest(anchor_item_id="i0001"))[0] is invalid
    many = admin_pb2.ExplainPageRequest(scene="home", item_ids=["i0001"] * 21)
    assert refused(stub.ExplainPage, many)[0] is invalid
    assert refused(stub.SearchItems, admin_pb2.SearchItemsRequest(query="  "))[0] is invalid
    assert refused(stub.SearchItems, admin_pb2.SearchItemsRequest(query="x", limit=101))[0] is invalid
    code, text = refused(stub.InspectItem, admin_pb2.InspectItemRequest(item_id="i9999"))
    assert (code, "not in the catalogue" in text) == (invalid, True)
    assert refused(stub.InspectShopper, admin_pb2.InspectShopperRequest())[0] is invalid
    assert refused(stub.ReadReports, admin_pb2.ReadReportsRequest(kind="../etc"))[0] is invalid
    code, text = refused(stub.ReadMetrics, admin_pb2.ReadMetricsRequest())
    assert (code, "metrics are off" in text) == (grpc.StatusCode.FAILED_PRECONDITION, True)


def test_reports_that_nobody_wrote_are_none(ingress: Ingress) -> None:
    assert not admin(ingress).ReadReports(admin_pb2.ReadReportsRequest(kind="evaluation"), timeout=_S).reports
