"""Bytes protobuf refuses are blamed on the field at fault, and never raise."""

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from protos.shopfront.v1 import event_pb2, recommend_pb2
from server.ingress.malformed import MalformedRequest, find_violation, tolerant

NOT_UTF8 = b"\xff\xfe"


def with_raw_strings(message: Message, placeholder: str) -> bytes:
    """The message's bytes, `placeholder` (two ASCII characters) replaced by bytes that are not UTF-8."""
    data = message.SerializeToString()
    assert data.count(placeholder.encode()) == 1
    return data.replace(placeholder.encode(), NOT_UTF8)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (recommend_pb2.RecommendRequest(scene="@@", page_size=3), "scene"),
        (recommend_pb2.RecommendRequest(scene="home", user_id="@@"), "user_id"),
        (recommend_pb2.RecommendRequest(context=recommend_pb2.Context(city="@@")), "context.city"),
        (recommend_pb2.RecommendRequest(excluded_item_ids=["a", "b", "@@"]), "excluded_item_ids[2]"),
        (
            recommend_pb2.RecommendPageRequest(
                scenes=[recommend_pb2.SceneRequest(scene="home"), recommend_pb2.SceneRequest(scene="@@")]
            ),
            "scenes[1].scene",
        ),
        (
            event_pb2.ReportEventsRequest(
                events=[event_pb2.Event(user_id="u", price=1.5), event_pb2.Event(item_id="@@")]
            ),
            "events[1].item_id",
        ),
    ],
)
def test_names_the_field_that_is_not_utf8(message: Message, field: str) -> None:
    data = with_raw_strings(message, "@@")
    request = tolerant(type(message), 100_000)(data)
    assert isinstance(request, MalformedRequest)
    assert request.violation.field == field
    assert "UTF-8" in request.violation.description


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x0a", b"\xff" * 12, b"\x0b", b"\x0d\x01"])
def test_blames_the_whole_request_for_broken_framing(data: bytes) -> None:
    request = tolerant(recommend_pb2.RecommendRequest, 100_000)(data)
    assert isinstance(request, MalformedRequest)
    assert request.violation.field == "request"
    assert "shopfront.v1.RecommendRequest" in request.violation.description


def test_leaves_good_requests_alone() -> None:
    message = recommend_pb2.RecommendRequest(scene="home", user_id="Zoë", excluded_item_ids=["ä"])
    assert tolerant(recommend_pb2.RecommendRequest, 100_000)(message.SerializeToString()) == message


@given(st.binary(max_size=200))
def test_answers_any_bytes(data: bytes) -> None:
    request = tolerant(event_pb2.ReportEventsRequest, 100_000)(data)
    assert isinstance(request, event_pb2.ReportEventsRequest | MalformedRequest)
    assert find_violation(data, event_pb2.ReportEventsRequest.DESCRIPTOR).field
