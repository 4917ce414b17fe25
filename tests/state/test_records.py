import struct
import zlib
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.records import RecordError, decode, decode_profile, encode, encode_profile, merge, not_in
from state.user_state import NO_BEHAVIOURS, Behaviours, CartChanges, SeenItems, TimedItems

KEY = b"k" * 16

rows_of_behaviours = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), st.integers(2, 5), st.integers(0, 2**40)), max_size=20
)


def behaviours(rows: list[tuple[int, int, int]]) -> Behaviours:
    return Behaviours(
        np.array([row[0] for row in rows], np.uint64),
        np.array([row[1] for row in rows], np.uint8),
        np.array([row[2] for row in rows], np.int64),
    )


def rows_in(columns: Behaviours) -> list[tuple[int, int, int]]:
    return list(zip(columns.items.tolist(), columns.events.tolist(), columns.ts.tolist(), strict=True))


def seen(rows: list[tuple[int, int, int]]) -> SeenItems:
    return SeenItems(
        np.array([row[0] for row in rows], np.uint64),
        np.array([row[1] for row in rows], np.uint32),
        np.array([row[2] for row in rows], np.int64),
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**40)), max_size=9
    )
)
def test_seen_items_come_back_as_they_were(rows: list[tuple[int, int, int]]) -> None:
    decoded = decode(SeenItems, KEY, encode(KEY, seen(rows)))
    columns = (decoded.items.tolist(), decoded.scenes.tolist(), decoded.ts.tolist())
    assert list(zip(*columns, strict=True)) == rows
    assert (decoded.items.dtype, decoded.scenes.dtype, decoded.ts.dtype) == (np.uint64, np.uint32, np.int64)


@given(rows_of_behaviours)
def test_behaviours_come_back_as_they_were(rows: list[tuple[int, int, int]]) -> None:
    decoded = decode(Behaviours, KEY, encode(KEY, behaviours(rows)))
    assert rows_in(decoded) == rows
    assert (decoded.items.dtype, decoded.events.dtype, decoded.ts.dtype) == (np.uint64, np.uint8, np.int64)
    assert not decoded.items.flags.writeable


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**40)), max_size=20))
def test_items_come_back_as_they_were(rows: list[tuple[int, int]]) -> None:
    items = TimedItems(
        np.array([row[0] for row in rows], np.uint64), np.array([row[1] for row in rows], np.int64)
    )
    decoded = decode(TimedItems, KEY, encode(KEY, items))
    assert list(zip(decoded.items.tolist(), decoded.ts.tolist(), strict=True)) == rows


@pytest.mark.parametrize(
    ("rows", "flags", "column"),
    [
        (TimedItems(np.array([7, 8], np.uint64), np.array([30, 20])), 0, b""),
        (behaviours([(7, 2, 30), (8, 5, 20)]), 1, struct.pack("<2B", 2, 5)),
        (seen([(7, 2**32 - 1, 30), (8, 5, 20)]), 2, struct.pack("<2I", 2**32 - 1, 5)),
        (
            CartChanges(np.array([7, 8], np.uint64), np.array([-2, 5], np.int32), np.array([30, 20])),
            4,
            struct.pack("<2i", -2, 5),
        ),
    ],
)
def test_the_bytes_of_records_stay(rows: Any, flags: int, column: bytes) -> None:
    body = struct.pack("<2Q2q", 7, 8, 30, 20) + column
    fields = struct.pack("<BBI", 1, flags, 2)
    checksum = zlib.crc32(KEY + fields + body)
    assert encode(KEY, rows) == struct.pack("<2sBBII4x", b"SR", 1, flags, 2, checksum) + body


@given(st.dictionaries(st.text(), st.text(), max_size=5), st.integers(-(2**62), 2**62))
def test_profile_comes_back_as_it_was(profile: dict[str, str], updated_at: int) -> None:
    assert decode_profile(KEY, encode_profile(KEY, profile, updated_at)) == (profile, updated_at)


@pytest.mark.parametrize(
    ("record", "decoded"),
    [
        (encode(KEY, behaviours([(1, 2, 3), (4, 5, 6)])), partial(decode, Behaviours)),
        (encode(KEY, TimedItems(np.arange(3, dtype=np.uint64), np.arange(3))), partial(decode, TimedItems)),
        (encode(KEY, seen([(1, 2, 3), (4, 5, 6)])), partial(decode, SeenItems)),
        (encode_profile(KEY, {"city": "Lyon"}, 7), decode_profile),
    ],
)
def test_every_changed_byte_every_cut_and_every_other_key_is_noticed(record: bytes, decoded: Any) -> None:
    decoded(KEY, record)
    unread_padding = {3} if decoded is decode_profile else {12, 13, 14, 15}
    for position in set(range(len(record))) - unread_padding:
        damaged = bytearray(record)
        damaged[position] ^= 0x40
        with pytest.raises(RecordError):
            decoded(KEY, bytes(damaged))
    for length in range(len(record)):
        with pytest.raises(RecordError):
            decoded(KEY, record[:length])
    with pytest.raises(RecordError, match="checksum"):
        decoded(b"x" * 16, record)


@given(rows_of_behaviours, rows_of_behaviours, st.integers(1, 30))
def test_merging_keeps_the_newest_with_added_rows_first_among_equals(
    stored: list[tuple[int, int, int]], added: list[tuple[int, int, int]], limit: int
) -> None:
    stored.sort(key=lambda row: -row[2])
    merged = merge(behaviours(stored), behaviours(added), limit)
    assert rows_in(merged) == sorted(added + stored, key=lambda row: -row[2])[:limit]
    items = merge(TimedItems(merged.items, merged.ts), TimedItems(merged.items[:0], merged.ts[:0]), limit)
    assert items.ts.tolist() == merged.ts.tolist()


def test_rows_already_stored_are_told_from_new_ones() -> None:
    stored = behaviours([(1, 2, 30), (1, 2, 20), (2, 3, 20)])
    given_rows = [(1, 2, 30), (1, 3, 30), (1, 2, 20), (1, 2, 10)]
    assert rows_in(not_in(behaviours(given_rows), stored)) == [(1, 3, 30), (1, 2, 10)]
    assert rows_in(not_in(behaviours(given_rows), NO_BEHAVIOURS)) == given_rows
    fresh = not_in(
        TimedItems(np.array([1, 2], np.uint64), np.array([30, 30])), TimedItems(stored.items, stored.ts)
    )
    assert fresh.items.tolist() == [2]
