"""`shopfront feedback`: sends what a shopper says to a running router."""

from __future__ import annotations

from collections.abc import Sequence

from learning.satisfaction.dimensions import DIMENSIONS
from protos.shopfront.v1 import feedback_pb2
from protos.shopfront.v1.feedback_pb2_grpc import FeedbackServiceStub
from server.ingress.client_channel import RouterAddress, open_channel

_NUMBERS = {name: number for number, name in DIMENSIONS.items()}


def parse_rating(text: str) -> feedback_pb2.Rating:
    """The rating that `price=2` means. Raises ValueError for other text; the router checks its range."""
    name, _, value = text.partition("=")
    if name not in _NUMBERS or not value.lstrip("-").isdecimal() or len(value) > 9:
        raise ValueError(f"{text!r} is no rating; write for example price=2, of {', '.join(_NUMBERS)}")
    return feedback_pb2.Rating(dimension=feedback_pb2.RatingDimension.Name(_NUMBERS[name]), value=int(value))


def said_of_items(
    *,
    not_interested: Sequence[str] = (),
    seen_too_often: Sequence[str] = (),
    own_it: Sequence[str] = (),
    undo: Sequence[str] = (),
    with_brand: bool = False,
    with_category: bool = False,
) -> list[feedback_pb2.ItemFeedback]:
    """Feedback on items given by their ids; brand and category go with those that do not interest."""
    found = [
        feedback_pb2.ItemFeedback(
            item_id=item,
            type=feedback_pb2.ITEM_FEEDBACK_TYPE_NOT_INTERESTED,
            brand=with_brand,
            category=with_category,
        )
        for item in not_interested
    ]
    found += [
        feedback_pb2.ItemFeedback(item_id=item, type=feedback_pb2.ITEM_FEEDBACK_TYPE_SEEN_TOO_OFTEN)
        for item in seen_too_often
    ]
    found += [
        feedback_pb2.ItemFeedback(item_id=item, type=feedback_pb2.ITEM_FEEDBACK_TYPE_OWN_IT)
        for item in own_it
    ]
    found += [
        feedback_pb2.ItemFeedback(item_id=item, type=feedback_pb2.ITEM_FEEDBACK_TYPE_UNDO) for item in undo
    ]
    return found


def send_feedback(
    router: RouterAddress, request: feedback_pb2.SendFeedbackRequest, timeout_s: float = 10.0
) -> feedback_pb2.SendFeedbackResponse:
    """One `SendFeedback` call; raises grpc.RpcError where it fails, ChannelError where `router` is none."""
    with open_channel(router) as channel:
        answer: feedback_pb2.SendFeedbackResponse = FeedbackServiceStub(channel).SendFeedback(
            request, timeout=timeout_s
        )
        return answer
