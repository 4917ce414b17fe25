import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.shopfront.v1.event_pb2 import Event, ReportEventsRequest
from router.errors import CallerError
from router.events import CheckedEvents, check_events
from router.events.check import timestamp_reason
from snapshot.event_codes import EVENT_NAMES, REMOVE_FROM_CART
from snapshot.item_keys import item_keys
from state.attribution import Attribution, AttributionCodec
from state.attribution_scope import item_filter, shopper_tag

NOW = 1_700_000_000_000
DAY = 86_400_000
CODEC = AttributionCodec([b"s" * 16])
ATTRIBUTION = Attribution("r", "home", "s", "bst", "1", {}, NOW // 1000)
TOKEN = CODEC.encode(ATTRIBUTION)


def event(**changes: object) -> Event:
    return Event(**{"user_id": "u", "item_id": "i", "type": 2, **changes})


def check(*events: Event) -> CheckedEvents:
    return check_events(ReportEventsRequest(events=events), NOW, CODEC)


BAD: dict[str, list[dict[str, object]]] = {
    "user_id": [{"user_id": ""}, {"user_id": "u" * 257}, {"user_id": "é" * 129}],
    "item_id": [{"item_id": ""}, {"item_id": "i" * 257}, {"item_id": "商" * 86}],
    "type": [{"type": 0}, {"type": max(EVENT_NAMES) + 1}, {"type": -1}, {"type": 300}],
    "timestamp_ms": [
        {"timestamp_ms": NOW + 300_001},
        {"timestamp_ms": NOW - 400 * DAY - 1},
        {"timestamp_ms": -1},
        {"timestamp_ms": NOW // 1000},
        {"timestamp_ms": 2**63 - 1},
        {"timestamp_ms": -(2**63)},
    ],
    "scene": [{"scene": "s" * 65}],
    "position": [{"position": -1}, {"position": 1_000_001}, {"position": 2**31 - 1}],
    "attribution_token": [{"attribution_token": TOKEN[:-1]}, {"attribution_token": "x" * 100_000}],
    "quantity": [{"quantity": -1}, {"quantity": 1_000_001}],
    "price": [
        *({"price": price} for price in (-0.01, math.nan, math.inf, -math.inf)),
        *({"price": price} for price in (1e300, 1.000001e12, 5e-324, 1e-7, -5e-324)),
    ],
    "query": [{"query": "q" * 513}, {"query": "茶" * 171}],
    "event_id": [{"event_id": "e" * 65}, {"event_id": "exposure:1"}],
    "session_id": [{"session_id": "s" * 65}],
}
GOOD: list[dict[str, object]] = [
    {},
    {"user_id": "u" * 256, "item_id": "é" * 128},
    *({"type": code} for code in EVENT_NAMES),
    {"timestamp_ms": NOW + 300_000},
    {"timestamp_ms": NOW - 400 * DAY},
    {"scene": "s" * 64, "position": 1, "quantity": 3, "price": 0.0},
    {"attribution_token": TOKEN, "price": 1e12, "query": "茶" * 170},
    {"event_id": "e" * 64, "session_id": "é" * 32},
    {"position": 1_000_000, "quantity": 1_000_000, "price": 1e-6},
]


@pytest.mark.parametrize(
    ("field", "changes"), [(field, changes) for field, cases in BAD.items() for changes in cases]
)
def test_each_rule_names_its_field(field: str, changes: dict[str, object]) -> None:
    checked = check(event(**changes))
    assert len(checked.batch) == 0
    (fault,) = checked.faults
    assert (fault.index, fault.field) == (0, field)
    assert len(fault.reason) < 300


@pytest.mark.parametrize(
    ("timestamp_ms", "reason"),
    [
        (NOW + 400_000, "is 400 s ahead of"),
        (NOW - 401 * DAY, "is 401 days behind"),
        (NOW, None),
        (0, None),
    ],
)
def test_a_time_is_refused_by_the_side_on_which_it_lies(timestamp_ms: int, reason: str | None) -> None:
    said = timestamp_reason(timestamp_ms, NOW)
    assert said is None if reason is None else said is not None and said.startswith(reason)


@pytest.mark.parametrize("changes", GOOD)
def test_what_keeps_the_rules_passes_unchanged(changes: dict[str, object]) -> None:
    given_event = event(**changes)
    checked = check(given_event)
    events = checked.batch
    assert checked.faults == []
    assert events.item_keys.tolist() == item_keys([given_event.item_id]).tolist()
    assert events.events.tolist() == [given_event.type]
    assert events.timestamps_ms.tolist() == [given_event.timestamp_ms or NOW]
    (row,) = events.rows
    assert row.arrived_ms == NOW
    sent = {field.name: getattr(given_event, field.name) for field in Event.DESCRIPTOR.fields}
    least = 0 if given_event.type == REMOVE_FROM_CART else 1
    filled = {"timestamp_ms": sent["timestamp_ms"] or NOW, "quantity": sent["quantity"] or least}
    for name, value in {**sent, "event": sent["type"], **filled}.items():
        if name != "type":
            assert getattr(row, name) == value, name
    assert checked.attributions == [ATTRIBUTION if given_event.attribution_token else None]


def test_an_event_with_several_faults_is_named_once_by_its_first_field() -> None:
    faults = check(event(item_id="", price=-1.0, position=-1)).faults
    assert [(fault.index, fault.field) for fault in faults] == [(0, "item_id")]


@pytest.mark.parametrize("count", [0, 1_001])
def test_an_empty_or_oversized_request_is_refused_whole(count: int) -> None:
    with pytest.raises(CallerError, match="1 to 1,000") as refused:
        check(*[event()] * count)
    assert refused.value.violations[0].field == "events"


def test_a_thousand_events_are_taken() -> None:
    checked = check(*[event()] * 1_000)
    assert (len(checked.batch), checked.faults) == (1_000, [])


def test_events_without_an_id_are_named_by_the_call_and_their_position() -> None:
    request = ReportEventsRequest(events=[event(event_id=""), event(type=0), event(event_id="own"), event()])
    checked = check_events(request, NOW, CODEC, "call-7")
    assert [fault.index for fault in checked.faults] == [1]
    assert [row.event_id for row in checked.batch.rows] == ["call-7:0", "own", "call-7:3"]
    rows = check_events(request, NOW, CODEC).batch.rows
    assert [row.event_id for row in rows] == ["", "own", ""]


SCOPED = Attribution(
    "r",
    "home",
    "s",
    "bst",
    "1",
    {},
    NOW // 1000,
    shopper_tag("u"),
    item_filter(item_keys(f"shown-{n}" for n in range(20))),
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"item_id": "shown-7"}, ""),
        ({"item_id": "shown-7", "user_id": "somebody else"}, "shopper"),
        ({"item_id": "elsewhere"}, "item"),
        ({"item_id": "elsewhere", "user_id": "somebody else"}, "shopper"),
    ],
)
def test_a_token_credits_its_shopper_and_its_items_only(changes: dict[str, object], reason: str) -> None:
    token = CODEC.encode(SCOPED)
    checked = check(event(attribution_token=token, **changes))
    assert not checked.faults
    assert checked.attributions == [None if reason else SCOPED]
    assert checked.uncredited == ({reason: 1} if reason else {})
    assert checked.batch.rows[0].attribution_token == ("" if reason else token)


def test_a_token_of_an_anonymous_shopper_credits_any() -> None:
    token = CODEC.encode(msgspec.structs.replace(SCOPED, shopper=b""))
    checked = check(event(attribution_token=token, item_id="shown-1", user_id="logged in since"))
    assert not checked.uncredited


def test_each_token_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    decode: Callable[[str], Attribution] = CODEC.decode
    monkeypatch.setattr(CODEC, "decode", lambda token: read.append(token) or decode(token))
    checked = check(*[event(attribution_token=TOKEN), event(attribution_token="bad")] * 10)
    assert sorted(read) == sorted([TOKEN, "bad"])
    assert [fault.index for fault in checked.faults] == list(range(1, 20, 2))
    assert checked.attributions == [ATTRIBUTION] * 10


cases = st.one_of(
    st.sampled_from(GOOD).map(lambda changes: ("", changes)),
    st.sampled_from([(field, changes) for field, cases in BAD.items() for changes in cases]),
)


@given(st.lists(cases, min_size=1, max_size=30))
def test_of_any_mixture_exactly_the_bad_are_named(mixture: list[tuple[str, dict[str, object]]]) -> None:
    sent = [event(**changes) for _, changes in mixture]
    checked = check(*sent)
    assert [(fault.index, fault.field) for fault in checked.faults] == [
        (index, field) for index, (field, _) in enumerate(mixture) if field
    ]
    good = [one for one, (field, _) in zip(sent, mixture, strict=True) if not field]
    assert [row.item_id for row in checked.batch.rows] == [one.item_id for one in good]
    assert np.array_equal(checked.batch.events, [one.type for one in good])
    assert [token is not None for token in checked.attributions] == [
        bool(one.attribution_token) for one in good
    ]
