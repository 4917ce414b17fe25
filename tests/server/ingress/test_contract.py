"""What callers are promised, through every ingress: plain clients, no special metadata."""

from __future__ import annotations

import uuid

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from protos.shopfront.v1 import event_pb2, recommend_pb2, visual_pb2, visual_pb2_grpc
from protos.shopfront.v1.recommend_pb2 import (
    Context,
    ContextField,
    PriceRange,
    RecommendPageRequest,
    RecommendRequest,
    RecommendResponse,
    SceneRequest,
    SimilarItemsKind,
    SimilarItemsRequest,
)
from server.ingress.status import DETAILS_KEY
from server.rpc.methods import HEALTH_SERVICE, method_table
from testing.running_router import Ingress
from testing.served_shop import ServedShop

RECOMMEND_SERVICE = method_table()["Recommend"].service
EVENT_SERVICE = method_table()["ReportEvents"].service
VIEW, PURCHASE = event_pb2.EVENT_TYPE_VIEW, event_pb2.EVENT_TYPE_PURCHASE


def refused(call: object, request: object) -> grpc.RpcError:
    """The error with which a call ends."""
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=10)  # type: ignore[operator]
    return error.value


def rich_details(error: grpc.RpcError, kind: type[Message]) -> Message:
    """The `google.rpc` message that an error carries."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers[DETAILS_KEY])
    message = kind()
    assert status.details[0].Unpack(message)
    return message


def ids(response: RecommendResponse) -> list[str]:
    """Item ids in page order."""
    return [item.item_id for item in response.items]


def test_recommends_a_full_scored_page_with_reasons(ingress: Ingress, shop: ServedShop) -> None:
    response = ingress.recommend.Recommend(RecommendRequest(scene="home", user_id="nobody-yet"), timeout=10)
    assert len(set(ids(response))) == 20
    assert (response.model_name, response.model_version) == ("bst", str(shop.models["bst"]))
    assert not response.degraded
    assert not response.HasField("trace")
    assert response.scene == "home"
    assert response.snapshot_id == shop.snapshots.current_id()
    assert response.attribution_token
    assert response.request_id
    for item in response.items:
        assert 0 < item.score < 1
        assert item.reasons[0].channel in {"ranki2i", "mind", "hot"}
        assert item.title
        assert item.category


def test_an_anonymous_shopper_gets_a_full_page_of_the_size_asked(ingress: Ingress) -> None:
    for asked, given in ((7, 7), (100, 100), (500, 100)):
        response = ingress.recommend.Recommend(RecommendRequest(scene="home", page_size=asked), timeout=10)
        assert len(response.items) == given


def test_the_next_request_sees_reported_events(ingress: Ingress) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    before = ingress.recommend.Recommend(RecommendRequest(scene="home", user_id=user), timeout=10)
    assert {reason.channel for item in before.items for reason in item.reasons} == {"hot"}
    bought = ids(before)[0]
    answer = ingress.events.ReportEvents(
        event_pb2.ReportEventsRequest(
            events=[
                event_pb2.Event(user_id=user, item_id="i0001", type=VIEW),
                event_pb2.Event(user_id=user, item_id="i0001", type=VIEW, position=-1),
                event_pb2.Event(user_id=user, item_id=bought, type=PURCHASE),
                event_pb2.Event(user_id=user, item_id="newer-than-the-snapshot", type=VIEW),
                event_pb2.Event(user_id=user, item_id="i0001"),
            ]
        ),
        timeout=10,
    )
    assert answer.accepted == 3
    assert answer.unknown_items == 1
    assert [(error.index, error.field) for error in answer.errors] == [(1, "position"), (4, "type")]
    after = ingress.recommend.Recommend(
        RecommendRequest(scene="home", user_id=user, page_size=50), timeout=10
    )
    channels = {reason.channel for item in after.items for reason in item.reasons}
    assert channels == {"ranki2i", "mind", "hot"}
    triggers = {reason.trigger_item_id for item in after.items for reason in item.reasons}
    assert triggers & {"i0001", bought}
    assert bought not in ids(after)


def test_events_out_of_reason_and_with_tokens_of_others(ingress: Ingress) -> None:
    shopper, other = (f"shopper-{uuid.uuid4().hex}" for _ in range(2))
    page = ingress.recommend.Recommend(RecommendRequest(scene="home", user_id=shopper), timeout=10)
    token, item = page.attribution_token, ids(page)[0]

    def event(**changes: object) -> event_pb2.Event:
        fields = {
            "user_id": shopper,
            "item_id": item,
            "type": PURCHASE,
            "attribution_token": token,
            **changes,
        }
        return event_pb2.Event(**fields)

    events = [
        event(price=1e300),
        event(quantity=2**31 - 1),
        event(),
        event(user_id=other),
        event(item_id="no"),
    ]
    answer = ingress.events.ReportEvents(event_pb2.ReportEventsRequest(events=events), timeout=10)
    assert [(error.index, error.field) for error in answer.errors] == [(0, "price"), (1, "quantity")]
    # An event is worth having without its token.
    assert answer.accepted == 3
    if ingress.running is not None:
        store = ingress.running.store
        logged = [
            entry for _, entry in store.read_log() if entry.user_id in (shopper, other) and entry.event == 5
        ]
        assert [bool(entry.attribution_token) for entry in logged] == [True, False, False]


def test_excluded_items_stay_away_and_unknown_ones_do_not_matter(ingress: Ingress) -> None:
    first = ids(ingress.recommend.Recommend(RecommendRequest(scene="home", page_size=5), timeout=10))
    excluded = [*first, "never-heard-of"]
    again = ids(
        ingress.recommend.Recommend(
            RecommendRequest(scene="home", page_size=5, excluded_item_ids=excluded), timeout=10
        )
    )
    assert len(again) == 5
    assert not set(first) & set(again)


def test_trace_accounts_for_every_candidate(ingress: Ingress) -> None:
    response = ingress.recommend.Recommend(RecommendRequest(scene="home", with_trace=True), timeout=10)
    stages = {stage.stage: stage for stage in response.trace.stages}
    assert {"channel:hot", "fusion", "filter:adult", "ranking", "rerank:scatter"} <= set(stages)
    adult = stages["filter:adult"]
    assert adult.count_in - adult.count_out == adult.removed["adult"] > 0
    assert response.trace.total_ms >= max(s.start_ms + s.elapsed_ms for s in response.trace.stages)
    assert all(stage.outcome == "ok" for stage in response.trace.stages)


def test_validate_only_answers_without_items(ingress: Ingress) -> None:
    response = ingress.recommend.Recommend(RecommendRequest(scene="home", validate_only=True), timeout=10)
    assert (len(response.items), response.scene, response.attribution_token) == (0, "home", "")


def test_page_shows_an_item_in_one_scene_only(ingress: Ingress) -> None:
    response = ingress.recommend.RecommendPage(
        RecommendPageRequest(
            scenes=[SceneRequest(scene="home", page_size=40), SceneRequest(scene="cart")], user_id="u0001"
        ),
        timeout=10,
    )
    home, cart = response.scenes
    assert [home.scene, cart.scene] == ["home", "cart"]
    assert (len(home.items), len(cart.items)) == (40, 10)
    assert not set(ids(home)) & set(ids(cart))
    alone = ingress.recommend.Recommend(
        RecommendRequest(scene="home", page_size=40, user_id="u0001"), timeout=10
    )
    assert ids(home) == ids(alone)


def test_similar_items_come_from_the_anchor_and_leave_it_out(ingress: Ingress) -> None:
    response = ingress.recommend.SimilarItems(SimilarItemsRequest(item_id="i0003"), timeout=10)
    assert len(response.items) == 20
    assert "i0003" not in ids(response)
    triggers = {reason.trigger_item_id for item in response.items for reason in item.reasons}
    assert triggers == {"i0003", ""}
    assert not response.degraded


def test_an_unknown_anchor_is_answered_by_the_crowd(ingress: Ingress) -> None:
    response = ingress.recommend.SimilarItems(SimilarItemsRequest(item_id="never-heard-of"), timeout=10)
    assert list(response.degraded) == ["anchor_unknown"]
    assert len(response.items) == 20


def test_a_page_with_a_cart_comes_from_its_items_and_leaves_them_out(ingress: Ingress) -> None:
    cart = ["i0003", "i0007", "never-heard-of"]
    response = ingress.recommend.Recommend(
        RecommendRequest(scene="cart", cart_item_ids=cart, cart_quantities=[1, 2, 1]), timeout=10
    )
    assert len(response.items) == 10
    assert list(response.degraded) == ["cart_unknown"]
    assert not set(ids(response)) & set(cart)
    triggers = {reason.trigger_item_id for item in response.items for reason in item.reasons}
    assert triggers <= {"i0003", "i0007", ""}
    assert triggers != {""}


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"cart_item_ids": ["i0003"] * 201}, "cart_item_ids"),
        ({"cart_item_ids": ["a-rather-long-item-id"] * 1_000}, "cart_item_ids"),
        ({"cart_item_ids": ["i0003"], "cart_quantities": [1, 2]}, "cart_quantities"),
    ],
)
def test_a_wrong_cart_is_named(ingress: Ingress, fields: dict[str, list[object]], at_fault: str) -> None:
    """Also where it is refused before the request is read."""
    error = refused(ingress.recommend.Recommend, RecommendRequest(scene="cart", **fields))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    violations = rich_details(error, error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == [at_fault]


def test_a_must_holds_and_a_must_of_nothing_is_an_empty_page_that_says_so(ingress: Ingress) -> None:
    context = Context(category="Pens", search_query="pens", must=[ContextField.CONTEXT_FIELD_CATEGORY])
    request = RecommendRequest(scene="home", user_id="u0001", context=context, page_size=50)
    response = ingress.recommend.Recommend(request, timeout=10)
    assert {item.category for item in response.items} == {"Pens"}
    assert response.matching_items >= len(response.items)
    request.context.category = "Nowhere"
    response = ingress.recommend.Recommend(request, timeout=10)
    assert not response.items
    assert response.HasField("matching_items")
    assert "category_unknown" in response.degraded


def test_pages_by_cursor_repeat_nothing_until_there_are_no_more(ingress: Ingress) -> None:
    seen: list[str] = []
    request = RecommendRequest(scene="home", user_id="u0001", page_size=30)
    for _ in range(10):
        response = ingress.recommend.Recommend(request, timeout=10)
        seen += ids(response)
        request.page_cursor = response.next_page_cursor
        if not request.page_cursor:
            break
    assert len(seen) > 90
    assert len(set(seen)) == len(seen)
    assert not request.page_cursor


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"page_cursor": "not issued by a router"}, "page_cursor"),
        ({"page_cursor": "A" * 100_000}, "page_cursor"),
        ({"context": Context(search_query="x" * 1_000)}, "context.search_query"),
        ({"context": Context(price=PriceRange(minimum=float("nan")))}, "context.price.minimum"),
        ({"context": Context(price=PriceRange(minimum=2, maximum=1))}, "context.price"),
        ({"context": Context(must=[ContextField.CONTEXT_FIELD_BRAND])}, "context.must"),
        ({"context": Context(must=[ContextField.CONTEXT_FIELD_BRAND] * 100)}, "context.must"),
    ],
)
def test_a_wrong_context_or_cursor_is_named(
    ingress: Ingress, fields: dict[str, object], at_fault: str
) -> None:
    error = refused(ingress.recommend.Recommend, RecommendRequest(scene="home", **fields))  # type: ignore[arg-type]
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    violations = rich_details(error, error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == [at_fault]


def test_the_cursor_of_another_shopper_or_scene_is_refused(ingress: Ingress) -> None:
    asked = RecommendRequest(scene="home", user_id="u0001", page_size=5)
    cursor = ingress.recommend.Recommend(asked, timeout=10).next_page_cursor
    for scene, user in (("home", "u0002"), ("cart", "u0001")):
        request = RecommendRequest(scene=scene, user_id=user, page_cursor=cursor)
        error = refused(ingress.recommend.Recommend, request)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_kind_whose_scene_is_not_configured_is_refused(ingress: Ingress) -> None:
    request = SimilarItemsRequest(item_id="i0003", kind=SimilarItemsKind.SIMILAR_ITEMS_KIND_COMPLEMENTARY)
    error = refused(ingress.recommend.SimilarItems, request)
    (violation,) = rich_details(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == "kind"
    assert "complements" in violation.description


def test_a_wrong_request_names_every_field(ingress: Ingress) -> None:
    error = refused(
        ingress.recommend.Recommend, RecommendRequest(scene="nowhere", page_size=-1, user_id="u" * 300)
    )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    violations = rich_details(error, error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == ["scene", "page_size", "user_id"]
    assert "home" in violations[0].description


def test_a_wrong_page_and_wrong_events_are_refused_too(ingress: Ingress) -> None:
    error = refused(ingress.recommend.RecommendPage, RecommendPageRequest())
    assert rich_details(error, error_details_pb2.BadRequest).field_violations[0].field == "scenes"
    error = refused(ingress.events.ReportEvents, event_pb2.ReportEventsRequest())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert rich_details(error, error_details_pb2.BadRequest).field_violations[0].field == "events"


@pytest.mark.parametrize(
    ("method", "data", "field"),
    [
        (f"/{RECOMMEND_SERVICE}/Recommend", b"\x0a\x04home\x12\x02\xff\xfe", "user_id"),
        (f"/{RECOMMEND_SERVICE}/SimilarItems", b"\x0a\x02\xff\xfe", "item_id"),
        (f"/{EVENT_SERVICE}/ReportEvents", b"\x0a\x04\x12\x02\xff\xfe", "events[0].item_id"),
        (f"/{RECOMMEND_SERVICE}/Recommend", b"\x0a\x7f", "request"),
    ],
)
def test_bytes_that_are_no_message_are_the_callers_fault(
    ingress: Ingress, method: str, data: bytes, field: str
) -> None:
    call = ingress.channel.unary_unary(method)
    error = refused(call, data)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = rich_details(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == field


def test_health_of_the_server_and_of_each_service(ingress: Ingress) -> None:
    health = health_pb2_grpc.HealthStub(ingress.channel)
    for name in ("", RECOMMEND_SERVICE, EVENT_SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    error = refused(health.Check, health_pb2.HealthCheckRequest(service="no.such.Service"))
    assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("", health_pb2.HealthCheckResponse.SERVING),
        ("no.such.Service", health_pb2.HealthCheckResponse.SERVICE_UNKNOWN),
    ],
)
def test_health_can_be_watched(ingress: Ingress, name: str, status: int) -> None:
    health = health_pb2_grpc.HealthStub(ingress.channel)
    stream = health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=10)
    assert next(iter(stream)).status == status
    stream.cancel()


def test_reflection_serves_a_client_that_has_no_stubs(ingress: Ingress) -> None:
    database = ProtoReflectionDescriptorDatabase(ingress.channel)
    assert {RECOMMEND_SERVICE, EVENT_SERVICE, HEALTH_SERVICE} <= set(database.get_services())
    service = DescriptorPool(database).FindServiceByName(RECOMMEND_SERVICE)
    assert [method.name for method in service.methods] == ["Recommend", "RecommendPage", "SimilarItems"]


def test_same_answer_through_the_message_or_raw_bytes(ingress: Ingress) -> None:
    request = RecommendRequest(scene="home", page_size=3)
    call = ingress.channel.unary_unary(f"/{RECOMMEND_SERVICE}/Recommend")
    raw = recommend_pb2.RecommendResponse.FromString(call(request.SerializeToString(), timeout=10))
    assert ids(raw) == ids(ingress.recommend.Recommend(request, timeout=10))


def test_what_else_runs_on_the_node_is_told_nobody(ingress: Ingress) -> None:
    error = refused(ingress.channel.unary_unary("/ray.serve.RayServeAPIService/ListApplications"), b"")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_photo_is_refused_where_there_are_no_pictures(ingress: Ingress) -> None:
    stub = visual_pb2_grpc.VisualServiceStub(ingress.channel)
    error = refused(stub.SearchByImage, visual_pb2.SearchByImageRequest(image=bytes(1_000_000)))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "no pictures" in error.details()
