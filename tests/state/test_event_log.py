"""The bytes of the event log: what earlier programs wrote is read, and the same is written."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.storage.errors import StorageError
from protos.shopfront.v1 import event_pb2
from state.event_log import arrival_ms, decode_entry, encode_entries
from state.logged_event import LoggedEvent, LoggedRating

NOW_MS = 1_700_000_000_000
FULL = LoggedEvent(
    "u", "a", 5, NOW_MS - 1, NOW_MS, "home", 3, "token", 2, 9.5, "tea", event_id="e1", session_id="s1"
)
STORED = {
    "0068e5cf8b010000c472922b9da175a16105cf0000018bcfe567ffcf0000018bcfe56800a4686f6d6503a5746f6b656e02"
    "cb4023000000000000a3746561a26531a27331": FULL,
    "0068e5cf8b01000029d42a379da2c3bca16202cf0000018bcfe56800cf0000018bcfe56800a000a001cb00000000000000"
    "00a0a0a0": LoggedEvent("ü", "b", 2, NOW_MS, NOW_MS),
}
"""Entries of an earlier program, which knew no ratings, as hexadecimal."""


@pytest.mark.parametrize(("stored", "event"), STORED.items())
def test_entries_of_an_earlier_program_are_read(stored: str, event: LoggedEvent) -> None:
    assert decode_entry(1, bytes.fromhex(stored)) == event


@pytest.mark.parametrize(("stored", "event"), STORED.items())
def test_entries_have_the_earlier_bytes_and_the_new_field(stored: str, event: LoggedEvent) -> None:
    earlier = bytes.fromhex(stored)
    (entry,) = encode_entries([event])
    # The time of arrival, then past the checksum an array of one field more, which is nil.
    assert entry[:8] == earlier[:8]
    assert entry[12:] == bytes([earlier[12] + 1]) + earlier[13:] + b"\xc0"


def test_a_rating_is_read_as_it_was_logged() -> None:
    rated = msgspec.structs.replace(FULL, rating=LoggedRating({"price": 2}, ["too_dear"], "näh"))
    (entry,) = encode_entries([rated])
    assert decode_entry(1, entry) == rated


events = st.builds(
    LoggedEvent,
    user_id=st.text(max_size=5),
    item_id=st.text(max_size=5),
    event=st.integers(1, 5),
    timestamp_ms=st.integers(-(2**40), 2**50),
    arrived_ms=st.integers(0, 2**50),
    price=st.floats(0, 1e300),
    quantity=st.integers(1, 2**31 - 1),
    query=st.text(max_size=5),
)


@given(event=events)
def test_what_is_encoded_is_decoded(event: LoggedEvent) -> None:
    (entry,) = encode_entries([event])
    assert decode_entry(7, entry) == event
    assert arrival_ms(entry) == event.arrived_ms


@given(event=events, data=st.data())
def test_a_changed_byte_is_found(event: LoggedEvent, data: st.DataObject) -> None:
    (entry,) = encode_entries([event])
    position = data.draw(st.integers(8, len(entry) - 1))
    changed = bytearray(entry)
    changed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StorageError, match="entry 7"):
        decode_entry(7, bytes(changed))


def test_every_field_of_the_contract_is_in_the_log() -> None:
    reported = {field.name for field in event_pb2.Event.DESCRIPTOR.fields}
    logged = {field.name for field in msgspec.structs.fields(LoggedEvent)}
    assert reported - {"type"} | {"event", "arrived_ms"} == logged - {"rating"}
