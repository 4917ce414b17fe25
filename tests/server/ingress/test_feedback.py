"""What callers of `FeedbackService` are promised, through every ingress."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from protos.shopfront.v1 import feedback_pb2
from protos.shopfront.v1.feedback_pb2 import ItemFeedback, Rating, SendFeedbackRequest, ShouldAskRequest
from protos.shopfront.v1.feedback_pb2_grpc import FeedbackServiceStub
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from server.ingress.status import DETAILS_KEY
from testing.running_router import Ingress

UNDO = feedback_pb2.ITEM_FEEDBACK_TYPE_UNDO
NOT_INTERESTED = feedback_pb2.ITEM_FEEDBACK_TYPE_NOT_INTERESTED
PRICE = feedback_pb2.RATING_DIMENSION_PRICE


@pytest.fixture
def feedback(ingress: Ingress) -> Iterator[FeedbackServiceStub]:
    with grpc.insecure_channel(ingress.address) as channel:
        yield FeedbackServiceStub(channel)


@pytest.fixture
def shopper() -> str:
    return f"shopper-{uuid.uuid4().hex}"


def page(ingress: Ingress, shopper: str, size: int = 100) -> RecommendResponse:
    return ingress.recommend.Recommend(
        RecommendRequest(scene="home", user_id=shopper, page_size=size), timeout=10
    )


def ids(answer: RecommendResponse) -> list[str]:
    return [item.item_id for item in answer.items]


def faults(feedback: FeedbackServiceStub, request: SendFeedbackRequest) -> list[str]:
    """Fields that a refusal names."""
    with pytest.raises(grpc.RpcError) as error:
        feedback.SendFeedback(request, timeout=10)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    status = status_pb2.Status.FromString(dict(error.value.trailing_metadata())[DETAILS_KEY])
    found = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(found)
    return [violation.field for violation in found.field_violations]


@pytest.mark.parametrize(
    "type", [value for value in feedback_pb2.ItemFeedbackType.values() if value not in (0, UNDO)]
)
def test_what_is_said_of_an_item_holds_in_the_next_request_until_it_is_withdrawn(
    ingress: Ingress, feedback: FeedbackServiceStub, shopper: str, type: int
) -> None:
    unwanted = ids(page(ingress, shopper))[0]
    said = SendFeedbackRequest(user_id=shopper, items=[ItemFeedback(item_id=unwanted, type=type)])
    assert not feedback.SendFeedback(said, timeout=10).already_stored
    assert unwanted not in ids(page(ingress, shopper))
    assert unwanted in ids(page(ingress, f"{shopper}-another"))
    said.items[0].type = UNDO
    feedback.SendFeedback(said, timeout=10)
    assert unwanted in ids(page(ingress, shopper))


def test_a_category_that_does_not_interest_is_not_shown(
    ingress: Ingress, feedback: FeedbackServiceStub, shopper: str
) -> None:
    first = page(ingress, shopper)
    unwanted = next(item for item in first.items if item.category)
    said = ItemFeedback(item_id=unwanted.item_id, type=NOT_INTERESTED, category=True)
    feedback.SendFeedback(SendFeedbackRequest(user_id=shopper, items=[said]), timeout=10)
    after = page(ingress, shopper)
    assert after.items
    assert unwanted.category not in {item.category for item in after.items}


def test_feedback_sent_again_is_stored_once(
    ingress: Ingress, feedback: FeedbackServiceStub, shopper: str
) -> None:
    shown = page(ingress, shopper, 5)
    said = SendFeedbackRequest(
        user_id=shopper,
        feedback_id="f1",
        ratings=[Rating(dimension=PRICE, value=2)],
        reasons=["too_expensive"],
        comment="näh",
        items=[ItemFeedback(item_id=ids(shown)[0], type=NOT_INTERESTED)],
        attribution_token=shown.attribution_token,
    )
    answers = [feedback.SendFeedback(said, timeout=10) for _ in range(2)]
    assert [answer.already_stored for answer in answers] == [False, True]
    assert [answer.credited for answer in answers] == [True, True]
    if ingress.running is not None:
        logged = [entry for _, entry in ingress.running.store.read_log() if entry.user_id == shopper]
        logged = [entry for entry in logged if entry.event_id.startswith("feedback:")]
        assert len(logged) == 2
        assert logged[0].rating is not None
        assert logged[0].rating.ratings == {"price": 2}
        assert (logged[0].rating.comment, logged[0].scene) == ("näh", "home")


def test_the_answer_of_another_shopper_is_not_credited(
    ingress: Ingress, feedback: FeedbackServiceStub, shopper: str
) -> None:
    token = page(ingress, f"{shopper}-another", 5).attribution_token
    said = SendFeedbackRequest(
        user_id=shopper, ratings=[Rating(dimension=PRICE, value=5)], attribution_token=token
    )
    assert not feedback.SendFeedback(said, timeout=10).credited


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"user_id": ""}, ["user_id"]),
        ({"ratings": []}, ["ratings"]),
        ({"ratings": [Rating(dimension=PRICE, value=6)]}, ["ratings[0].value"]),
        ({"ratings": [Rating(dimension=PRICE, value=0)]}, ["ratings[0].value"]),
        ({"ratings": [Rating(dimension=99, value=3)]}, ["ratings[0].dimension"]),
        ({"ratings": [Rating(dimension=PRICE, value=3)] * 2}, ["ratings[1].dimension"]),
        ({"ratings": [Rating(dimension=PRICE, value=3)] * 6}, ["ratings"]),
        ({"comment": "x" * 2**20}, ["comment"]),
        ({"reasons": ["", "y" * 65]}, ["reasons[0]", "reasons[1]"]),
        ({"item_id": "never-heard-of"}, ["item_id"]),
        ({"items": [ItemFeedback(item_id="never-heard-of", type=1)]}, ["items[0].item_id"]),
        ({"items": [ItemFeedback(item_id="i0001", type=77)]}, ["items[0].type"]),
        ({"items": [ItemFeedback(item_id="i0001", type=UNDO, category=True)]}, ["items[0].category"]),
        ({"feedback_id": "asked"}, ["feedback_id"]),
        ({"timestamp_ms": 2**62}, ["timestamp_ms"]),
        ({"timestamp_ms": -(2**62)}, ["timestamp_ms"]),
        ({"attribution_token": "AAAA"}, ["attribution_token"]),
    ],
)
def test_bad_feedback_is_refused_by_field(
    feedback: FeedbackServiceStub, shopper: str, fields: dict[str, object], named: list[str]
) -> None:
    good: dict[str, object] = {"user_id": shopper, "ratings": [Rating(dimension=PRICE, value=3)]}
    assert faults(feedback, SendFeedbackRequest(**(good | fields))) == named


def test_nobody_is_asked_twice(feedback: FeedbackServiceStub) -> None:
    # One of 20 shoppers may be asked on a day.
    shoppers = [f"asked-{uuid.uuid4().hex}" for _ in range(200)]
    answers = {name: feedback.ShouldAsk(ShouldAskRequest(user_id=name), timeout=10) for name in shoppers}
    asked = [name for name, answer in answers.items() if answer.ask]
    assert asked
    assert {answer.reason for answer in answers.values()} <= {"asked", "not_sampled", "rate"}
    assert len(answers[asked[0]].dimensions) == 5
    for name in asked:
        again = feedback.ShouldAsk(ShouldAskRequest(user_id=name), timeout=10)
        assert (again.ask, again.reason) == (False, "lately")
    assert feedback.ShouldAsk(ShouldAskRequest(), timeout=10).reason == "anonymous"
