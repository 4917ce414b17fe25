"""Checks feedback against the rules written in `protos/shopfront/v1/feedback.proto`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from learning.satisfaction.dimensions import DIMENSIONS
from learning.satisfaction.limits import MAX_ITEMS, MAX_RATINGS, MAX_REASONS
from protos.shopfront.v1 import feedback_pb2
from router.errors import CallerError, FieldViolation
from router.events.check import MAX_SHORT_BYTES, timestamp_reason
from snapshot.catalogue import Catalogue
from snapshot.id_limit import MAX_ID_BYTES
from state.attribution import Attribution, AttributionCodec
from state.errors import AttributionError
from state.event_batch import EventBatch
from state.feedback_codes import (
    FEEDBACK_ID_PREFIX,
    NOT_INTERESTED,
    NOT_INTERESTED_IN_BRAND,
    NOT_INTERESTED_IN_CATEGORY,
    OWNED,
    RATED,
    SEEN_TOO_OFTEN,
    SURVEY_ID,
    WITHDRAWN,
)
from state.logged_event import LoggedEvent, LoggedRating

MAX_COMMENT_BYTES = 2_000
MAX_FEEDBACK_ID_BYTES = 48

_CODES = {
    feedback_pb2.ITEM_FEEDBACK_TYPE_NOT_INTERESTED: NOT_INTERESTED,
    feedback_pb2.ITEM_FEEDBACK_TYPE_SEEN_TOO_OFTEN: SEEN_TOO_OFTEN,
    feedback_pb2.ITEM_FEEDBACK_TYPE_OWN_IT: OWNED,
    feedback_pb2.ITEM_FEEDBACK_TYPE_UNDO: WITHDRAWN,
}
_TYPE_NAMES = ", ".join(name for name, number in feedback_pb2.ItemFeedbackType.items() if number in _CODES)
_DIMENSION_NAMES = ", ".join(
    name for name, number in feedback_pb2.RatingDimension.items() if number in DIMENSIONS
)


@dataclass(frozen=True, slots=True)
class CheckedFeedback:
    """Feedback as events to be stored together.

    Attributes:
        batch: a rating, if there is one, then what is said of items.
        credited: whether any of them has the attribution token.
        token: what that says; None where none was sent, or it does not count.
        uncredited: why events have none although one was sent, a reason for each of them: "expired", "ahead",
            "shopper", "item".
    """

    batch: EventBatch
    credited: bool
    token: Attribution | None
    uncredited: tuple[str, ...]


class TokenRefused(CallerError):
    """The token is malformed or forged; `kind` as in `AttributionError`."""

    def __init__(self, error: AttributionError) -> None:
        """`error`: what the codec said."""
        self.kind = error.kind
        reason = f"is {error.kind}: {error}; send it as it was issued or leave it empty"
        super().__init__([FieldViolation("attribution_token", reason)])


def check_feedback(
    request: feedback_pb2.SendFeedbackRequest,
    catalogue: Catalogue,
    now_ms: int,
    codec: AttributionCodec,
    sent_as: str = "",
) -> CheckedFeedback:
    """The events of a request that breaks no rule.

    Args:
        request: what a shopper said.
        catalogue: of the snapshot in service; items outside it are refused.
        now_ms: unix milliseconds at which the request arrived.
        codec: decodes the token.
        sent_as: the call's id at a proxy that may send it again, for feedback without an id.

    Raises:
        TokenRefused: the token alone is wrong.
        CallerError: fields are wrong; each is named.
    """
    faults = [*_faults(request, now_ms), *_item_faults(request, catalogue)]
    if faults:
        raise CallerError(faults)
    token, lapsed = _token(request.attribution_token, codec, now_ms)
    ts = request.timestamp_ms or now_ms
    id = request.feedback_id or sent_as
    scene = request.scene or (token.scene if token is not None else "")
    rows: list[LoggedEvent] = []
    uncredited: list[str] = []
    for item_id, code, rating in _said(request):
        outside = lapsed
        if not outside and token is not None:
            outside = _outside(token, request.user_id, item_id)
        if outside:
            uncredited.append(outside)
        rows.append(
            LoggedEvent(
                user_id=request.user_id,
                item_id=item_id,
                event=code,
                timestamp_ms=ts,
                arrived_ms=now_ms,
                scene=scene,
                attribution_token="" if outside else request.attribution_token,
                event_id=f"{FEEDBACK_ID_PREFIX}{id}:{len(rows)}" if id else "",
                rating=rating,
            )
        )
    credited = token is not None and len(uncredited) < len(rows)
    return CheckedFeedback(EventBatch.of(rows), credited, token, tuple(uncredited))


def _outside(token: Attribution, user_id: str, item_id: str) -> str:
    """What is not of the token's answer: "shopper", "item" or ""; without an item, the shopper."""
    if item_id:
        return token.outside(user_id, item_id)
    return "shopper" if token.shopper and token.outside(user_id, "") == "shopper" else ""


def _said(
    request: feedback_pb2.SendFeedbackRequest,
) -> Iterator[tuple[str, int, LoggedRating | None]]:
    """(item id, code, rating) of each event of a request."""
    if request.ratings or request.reasons or request.comment:
        ratings = {DIMENSIONS[rating.dimension]: rating.value for rating in request.ratings}
        yield request.item_id, RATED, LoggedRating(ratings, list(request.reasons), request.comment)
    for item in request.items:
        yield item.item_id, _CODES[item.type], None
        if item.brand:
            yield item.item_id, NOT_INTERESTED_IN_BRAND, None
        if item.category:
            yield item.item_id, NOT_INTERESTED_IN_CATEGORY, None


def _token(text: str, codec: AttributionCodec, now_ms: int) -> tuple[Attribution | None, str]:
    """The token's fields, and why they do not count; (None, "") where none was sent."""
    if not text:
        return None, ""
    try:
        token = codec.decode(text)
    except AttributionError as error:
        raise TokenRefused(error) from error
    try:
        codec.check_age(token, now_ms / 1_000)
    except AttributionError as error:
        return None, error.kind
    return token, ""


def _faults(request: feedback_pb2.SendFeedbackRequest, now_ms: int) -> Iterator[FieldViolation]:
    if not request.user_id:
        yield FieldViolation("user_id", f"is empty; 1 to {MAX_ID_BYTES} bytes are expected")
    for field, limit in (
        ("user_id", MAX_ID_BYTES),
        ("feedback_id", MAX_FEEDBACK_ID_BYTES),
        ("comment", MAX_COMMENT_BYTES),
        ("item_id", MAX_ID_BYTES),
        ("scene", MAX_SHORT_BYTES),
    ):
        size = len(getattr(request, field).encode())
        if size > limit:
            yield FieldViolation(field, f"has {size:,} bytes; at most {limit:,} are allowed")
    if FEEDBACK_ID_PREFIX + request.feedback_id == SURVEY_ID:
        yield FieldViolation("feedback_id", f"is {request.feedback_id!r}, which Shopfront itself uses")
    if not (request.ratings or request.reasons or request.comment or request.items):
        yield FieldViolation("ratings", "is empty, as reasons, comment and items are; say something")
    counts = list(_count_faults(request))
    yield from counts
    if counts:
        return
    seen: set[int] = set()
    for index, rating in enumerate(request.ratings):
        path = f"ratings[{index}]"
        if rating.dimension not in DIMENSIONS:
            yield FieldViolation(
                f"{path}.dimension", f"is {rating.dimension}; one of {_DIMENSION_NAMES} is expected"
            )
        elif rating.dimension in seen:
            yield FieldViolation(f"{path}.dimension", f"{DIMENSIONS[rating.dimension]} comes twice")
        seen.add(rating.dimension)
        if not 1 <= rating.value <= 5:
            yield FieldViolation(f"{path}.value", f"is {rating.value}; 1 to 5 is expected")
    for index, reason in enumerate(request.reasons):
        if not 1 <= len(reason.encode()) <= MAX_SHORT_BYTES:
            yield FieldViolation(
                f"reasons[{index}]",
                f"has {len(reason.encode()):,} bytes; 1 to {MAX_SHORT_BYTES} are expected",
            )
    untimely = timestamp_reason(request.timestamp_ms, now_ms)
    if untimely is not None:
        yield FieldViolation("timestamp_ms", untimely)


def _count_faults(request: feedback_pb2.SendFeedbackRequest) -> Iterator[FieldViolation]:
    for field, limit in (("ratings", MAX_RATINGS), ("reasons", MAX_REASONS), ("items", MAX_ITEMS)):
        count = len(getattr(request, field))
        if count > limit:
            yield FieldViolation(field, f"has {count:,} entries; at most {limit} are allowed")


def _item_faults(request: feedback_pb2.SendFeedbackRequest, catalogue: Catalogue) -> Iterator[FieldViolation]:
    items = request.items[:MAX_ITEMS]
    ids = [request.item_id, *(item.item_id for item in items)]
    dense = catalogue.dense(ids)
    if request.item_id and not dense[0]:
        yield FieldViolation("item_id", "is not in the catalogue")
    seen: set[str] = set()
    for index, (item, at) in enumerate(zip(items, dense[1:], strict=True)):
        path = f"items[{index}]"
        if not at:
            yield FieldViolation(f"{path}.item_id", "is not in the catalogue")
        elif item.item_id in seen:
            yield FieldViolation(f"{path}.item_id", "comes twice")
        seen.add(item.item_id)
        if item.type not in _CODES:
            yield FieldViolation(f"{path}.type", f"is {item.type}; one of {_TYPE_NAMES} is expected")
        for field, codes in (("brand", catalogue.brand), ("category", catalogue.category)):
            if not getattr(item, field):
                continue
            if item.type != feedback_pb2.ITEM_FEEDBACK_TYPE_NOT_INTERESTED:
                yield FieldViolation(f"{path}.{field}", "goes with the type NOT_INTERESTED only")
            elif at and not codes[at]:
                yield FieldViolation(f"{path}.{field}", f"is set, but the catalogue has no {field} of it")
