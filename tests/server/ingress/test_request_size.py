"""What a request repeats is counted before it is read, whatever the message."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import pytest
from google.protobuf import struct_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from protos.shopfront.v1 import event_pb2, recommend_pb2, rollout_pb2
from router.events import check_events
from server.ingress.malformed import MalformedRequest, tolerant
from server.ingress.request_size import RequestSize
from server.rpc.methods import Method, method_table
from state.attribution import AttributionCodec
from tests.server.ingress.oversized import oversized
from tests.server.plugin_service import greeting_pb2

PAGE = recommend_pb2.RecommendPageRequest
LIMITS = {"scenes": 10, "excluded_item_ids": 1_000, "cart_item_ids": 200, "cart_quantities": 200}


def excess(message: Message, most: dict[str, int]) -> str | None:
    """The field of which a message has too many."""
    found = RequestSize(message.DESCRIPTOR, most).excess(message.SerializeToString())
    return None if found is None else found.field


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (PAGE(excluded_item_ids=["item-1"] * 1_000), None),
        (PAGE(excluded_item_ids=["item-1"] * 1_001), "excluded_item_ids"),
        (PAGE(cart_item_ids=["a-long-item-id"] * 200, cart_quantities=[1] * 200), None),
        (PAGE(cart_item_ids=["a-long-item-id"] * 201), "cart_item_ids"),
        (PAGE(cart_quantities=[300_000] * 1_000), "cart_quantities"),
        (PAGE(scenes=[recommend_pb2.SceneRequest(scene="x" * 300)] * 10), None),
        (PAGE(scenes=[recommend_pb2.SceneRequest(scene="x" * 300)] * 11), "scenes"),
        (PAGE(user_id="u" * 10_000), None),
    ],
)
def test_names_the_field_that_has_too_many_entries(message: Message, field: str | None) -> None:
    assert excess(message, LIMITS) == field


def test_fields_without_a_limit_of_their_own_have_one() -> None:
    assert excess(greeting_pb2.GreetRequest(user_id=[300_000] * 1_000), {}) is None
    assert excess(greeting_pb2.GreetRequest(user_id=[300_000] * 1_001), {}) == "user_id"
    assert excess(greeting_pb2.GreetRequest(user_id=[300_000] * 1_001), {"user_id": 2_000}) is None


def test_counts_entries_of_messages_in_messages() -> None:
    answer = recommend_pb2.RecommendPageResponse(
        scenes=[recommend_pb2.RecommendResponse(degraded=["x" * 20] * 6)] * 50
    )
    assert excess(answer, {"scenes.degraded": 300}) is None
    assert excess(answer, {"scenes.degraded": 299}) == "scenes.degraded"


@pytest.mark.parametrize("method", method_table().values(), ids=lambda method: method.name)
def test_a_request_at_its_limits_is_read(method: Method) -> None:
    assert method.options.request_bytes is not None, "a limit that fits the method"
    message = method.request()
    for field, most in method.options.repeated.items():
        if field not in method.request.DESCRIPTOR.fields_by_name:
            continue
        entries = getattr(message, field)
        if field in ("excluded_item_ids", "cart_item_ids"):
            entries.extend(f"{n:0256d}" for n in range(most))
        elif field == "cart_quantities":
            entries.extend([2**31 - 1] * most)
        elif field == "events":
            long = {"user_id": 256, "item_id": 256, "scene": 64, "attribution_token": 512, "query": 512}
            texts = {name: "x" * size for name, size in (long | {"event_id": 64, "session_id": 64}).items()}
            full = event_pb2.Event(
                **texts,
                type=event_pb2.EVENT_TYPE_CART,
                timestamp_ms=2**50,
                position=2**30,
                quantity=2**30,
                price=9.9,
            )
            entries.extend([full] * most)
        elif message.DESCRIPTOR.fields_by_name[field].message_type:
            for _ in range(most):
                entries.add()
        elif message.DESCRIPTOR.fields_by_name[field].cpp_type == FieldDescriptor.CPPTYPE_STRING:
            entries.extend(["x" * 256] * most)
        else:
            entries.extend([1] * most)
    read = tolerant(method.request, method.options.request_bytes, method.options.repeated)
    assert read(message.SerializeToString()) == message


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 8))
def test_no_bytes_make_it_fail(data: bytes, times: int) -> None:
    size = RequestSize(rollout_pb2.StartRolloutRequest.DESCRIPTOR, {"stages": 50})
    found = size.excess(data * (1 << times))
    assert found is None or found.description


def _cpu_s(read: Callable[[bytes], object], data: bytes, enough_s: float = 0.0) -> float:
    """Least CPU time of three readings, or the first that is `enough_s` at most."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        read(data)
        best = min(best, time.process_time() - began)
        if best <= enough_s:
            break
    return best


@cache
def _large_good_request_s() -> float:
    good = event_pb2.ReportEventsRequest(
        events=[
            event_pb2.Event(user_id="u", item_id=f"i{n}", type=event_pb2.EVENT_TYPE_VIEW)
            for n in range(1_000)
        ]
    ).SerializeToString()
    report = method_table()["ReportEvents"].options
    assert report.request_bytes is not None
    read = tolerant(event_pb2.ReportEventsRequest, report.request_bytes, report.repeated)
    codec = AttributionCodec()
    return _cpu_s(lambda data: check_events(read(data), 0, codec), good)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", method_table().values(), ids=lambda method: method.name)
def test_refusing_costs_no_more_than_a_few_large_good_requests(method: Method) -> None:
    most_s = 10 * _large_good_request_s()
    assert method.options.request_bytes is not None
    read = tolerant(method.request, method.options.request_bytes, method.options.repeated)
    slow = {}
    for name, data in oversized(method):
        assert len(data) <= method.options.request_bytes
        if (cost_s := _cpu_s(read, data, most_s)) > most_s:
            slow[name] = cost_s / most_s
    assert not slow


def test_entries_past_the_limit_are_not_read() -> None:
    options = method_table()["RecommendPage"].options
    assert options.request_bytes is not None
    read = tolerant(PAGE, options.request_bytes, options.repeated)
    refused = read(b"\x0a\x00" * 200_000)
    assert isinstance(refused, MalformedRequest)
    assert (refused.violation.field, refused.violation.description) == (
        "scenes",
        "has too many entries; at most 10 are allowed",
    )


def test_messages_nested_beyond_what_protobuf_reads_are_refused_without_recursing_further() -> None:
    encoded = b""
    while len(encoded) < 4_000:
        # A struct's field whose value is a struct again.
        inner = b"\x2a" + _length(encoded) + encoded
        entry = b"\x0a\x01a\x12" + _length(inner) + inner
        encoded = b"\x0a" + _length(entry) + entry
    refused = tolerant(struct_pb2.Struct, 1 << 20)(encoded + b"\x0a\x02\x0a\x05")
    assert isinstance(refused, MalformedRequest)
    assert refused.violation.field == "request"


def _length(content: bytes) -> bytes:
    low, high = len(content) & 0x7F, len(content) >> 7
    return bytes([low | 0x80, high]) if high else bytes([low])
