"""Checks reported events one by one against the rules written in `protos/shopfront/v1/event.proto`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protos.shopfront.v1 import event_pb2
from router.errors import CallerError
from router.limits import MAX_EVENTS
from snapshot.event_codes import EVENT_CODES, EVENT_NAMES, REMOVE_FROM_CART
from snapshot.id_limit import MAX_ID_BYTES
from state.attribution import Attribution, AttributionCodec
from state.errors import AttributionError
from state.event_batch import EventBatch
from state.exposure_event import EXPOSURE_PREFIX
from state.feedback_codes import FEEDBACK_ID_PREFIX
from state.logged_event import LoggedEvent

MAX_SHORT_BYTES = 64
MAX_QUERY_BYTES = 512
MAX_POSITION = 1_000_000
MAX_QUANTITY = 1_000_000
MIN_PRICE, MAX_PRICE = 1e-6, 1e12
MAX_AHEAD_MS = 5 * 60 * 1_000
MAX_BEHIND_MS = 400 * 86_400 * 1_000

_TYPE_NAMES = ", ".join(f"EVENT_TYPE_{name.upper()}" for name in EVENT_CODES)


@dataclass(frozen=True, slots=True)
class EventFault:
    """Why an event is refused: its position in the request, its first field at fault, and the reason."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedEvents:
    """What a request contains.

    Attributes:
        batch: the good events, in their order.
        attributions: the decoded attribution token of each event of `batch`; None where it has none.
        uncredited: events of `batch` whose token is of another shopper's answer ("shopper") or of one without
            their item ("item"): they are stored without it.
        faults: one for each refused event.
    """

    batch: EventBatch
    attributions: Sequence[Attribution | None]
    faults: Sequence[EventFault]
    uncredited: Mapping[str, int]


def check_events(
    request: event_pb2.ReportEventsRequest, now_ms: int, attribution: AttributionCodec, sent_as: str = ""
) -> CheckedEvents:
    """Separates a request's good events from those that break a rule.

    Each refused event has one fault, its first in the order of the contract's fields. A timestamp of 0
    becomes `now_ms`, a quantity of 0 becomes 1 except of removals from the cart.

    Args:
        request: the reported events.
        now_ms: unix milliseconds at which the request arrived.
        attribution: decodes the events' tokens.
        sent_as: the call's id at a proxy that may send it again; an event without an event_id gets one made
            of it and of its position in the request. "" leaves the event_id empty.

    Raises:
        CallerError: the request holds no event or more than 1,000.
    """
    count = len(request.events)
    if not 1 <= count <= MAX_EVENTS:
        raise CallerError.of("events", f"has {count} events; 1 to {MAX_EVENTS:,} are expected")
    tokens = _RequestTokens(attribution)
    faults: list[EventFault] = []
    good: list[LoggedEvent] = []
    attributions: list[Attribution | None] = []
    uncredited: Counter[str] = Counter()
    for index, event in enumerate(request.events):
        fault = _fault(event, now_ms, tokens)
        if fault is None:
            event_id = event.event_id or (f"{sent_as}:{index}" if sent_as else "")
            token = tokens.read.get(event.attribution_token)
            outside = token.outside(event.user_id, event.item_id) if token is not None else ""
            if outside:
                token = None
                uncredited[outside] += 1
            good.append(_logged_event(event, event_id, now_ms, credited=not outside))
            attributions.append(token)
        else:
            faults.append(EventFault(index, *fault))
    scenes = ["" if token is None else token.scene for token in attributions]
    return CheckedEvents(EventBatch.of(good, scenes), attributions, faults, uncredited)


class _RequestTokens:
    """Decodes each different token of a request once: the events of a page carry the same one."""

    def __init__(self, codec: AttributionCodec) -> None:
        self._codec = codec
        self._reasons: dict[str, str] = {}
        self.read: dict[str, Attribution] = {}
        """The fields of the tokens that could be decoded."""

    def reason(self, token: str) -> str | None:
        """Why a token is refused; None where it could be decoded."""
        if token not in self.read and token not in self._reasons:
            try:
                self.read[token] = self._codec.decode(token)
            except AttributionError as error:
                self._reasons[token] = f"is malformed: {error}; send it as it was issued or leave it empty"
        return self._reasons.get(token)


def timestamp_reason(timestamp_ms: int, now_ms: int) -> str | None:
    """Why a reported time is refused where the clock says `now_ms`, both unix milliseconds; None: it is not.

    0 stands for the time of arrival.
    """
    ahead_ms = timestamp_ms - now_ms
    if timestamp_ms == 0 or -MAX_BEHIND_MS <= ahead_ms <= MAX_AHEAD_MS:
        return None
    if ahead_ms > 0:
        return (
            f"is {ahead_ms / 1_000:.0f} s ahead of the server's clock; at most 300 s are allowed, in "
            "milliseconds since 1970-01-01 UTC"
        )
    return (
        f"is {-ahead_ms / 86_400_000:.0f} days behind the server's clock; at most 400 are allowed, in "
        "milliseconds since 1970-01-01 UTC"
    )


def _too_long(text: str, limit: int) -> bool:
    # A character takes at most four bytes, so most texts need not be encoded to be measured.
    return 4 * len(text) > limit and len(text.encode()) > limit


def _fault(event: event_pb2.Event, now_ms: int, tokens: _RequestTokens) -> tuple[str, str] | None:
    for field, text in (("user_id", event.user_id), ("item_id", event.item_id)):
        if not text:
            return field, f"is empty; 1 to {MAX_ID_BYTES} bytes are expected"
        if _too_long(text, MAX_ID_BYTES):
            return field, _length_reason(text, MAX_ID_BYTES)
    if event.type not in EVENT_NAMES:
        return "type", f"is {event.type}; one of {_TYPE_NAMES} is expected"
    reason = timestamp_reason(event.timestamp_ms, now_ms)
    if reason is not None:
        return "timestamp_ms", reason
    if _too_long(event.scene, MAX_SHORT_BYTES):
        return "scene", _length_reason(event.scene, MAX_SHORT_BYTES)
    if not 0 <= event.position <= MAX_POSITION:
        return "position", f"is {event.position}; 1 to {MAX_POSITION:,} is expected, or 0 where it is unknown"
    if event.attribution_token:
        reason = tokens.reason(event.attribution_token)
        if reason is not None:
            return "attribution_token", reason
    if not 0 <= event.quantity <= MAX_QUANTITY:
        return (
            "quantity",
            f"is {event.quantity}; 1 to {MAX_QUANTITY:,} is expected, or 0 for 1 (of a removal: for all)",
        )
    price = event.price
    # Also false for NaN.
    if not (price == 0 or MIN_PRICE <= price <= MAX_PRICE):
        return "price", f"is {price:g}; {MIN_PRICE:g} to {MAX_PRICE:g} is expected, or 0 where it is unknown"
    if _too_long(event.query, MAX_QUERY_BYTES):
        return "query", _length_reason(event.query, MAX_QUERY_BYTES)
    if _too_long(event.event_id, MAX_SHORT_BYTES):
        return "event_id", _length_reason(event.event_id, MAX_SHORT_BYTES)
    for reserved in (EXPOSURE_PREFIX, FEEDBACK_ID_PREFIX):
        if event.event_id.startswith(reserved):
            return "event_id", f"begins with {reserved!r}, which only Shopfront's own events do"
    if _too_long(event.session_id, MAX_SHORT_BYTES):
        return "session_id", _length_reason(event.session_id, MAX_SHORT_BYTES)
    return None


def _length_reason(text: str, limit: int) -> str:
    return f"has {len(text.encode())} bytes; at most {limit} are allowed"


def _logged_event(event: event_pb2.Event, event_id: str, now_ms: int, *, credited: bool) -> LoggedEvent:
    return LoggedEvent(
        user_id=event.user_id,
        item_id=event.item_id,
        event=event.type,
        timestamp_ms=event.timestamp_ms or now_ms,
        arrived_ms=now_ms,
        scene=event.scene,
        position=event.position,
        attribution_token=event.attribution_token if credited else "",
        quantity=event.quantity or (0 if event.type == REMOVE_FROM_CART else 1),
        price=event.price,
        query=event.query,
        event_id=event_id,
        session_id=event.session_id,
    )
