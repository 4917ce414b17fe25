import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.history import AGE_BUCKETS, HISTORY_LENGTH, age_bucket, encode_history, encode_history_batch
from features.reference_time import MAX_ABSENCE_S

NOW = 1_700_000_000


@given(st.integers(min_value=0, max_value=10**11))
def test_age_bucket_is_the_logarithm_of_the_minutes(seconds: int) -> None:
    minutes_and_one = (seconds + 60) // 60
    # floor(log2(x)) of a real x ≥ 1 is that of floor(x), whose bit length is exact.
    expected = min(1 + minutes_and_one.bit_length() - 1, AGE_BUCKETS)
    assert age_bucket(np.array([seconds]))[0] == expected


def test_age_bucket_at_the_edges() -> None:
    seconds = np.array([-100, 0, 59, 60, 179, 180, 10**15])
    assert age_bucket(seconds).tolist() == [1, 1, 1, 2, 2, 3, AGE_BUCKETS]
    assert age_bucket(seconds).dtype == np.int32
    assert age_bucket(np.array(86_400)) == 1 + math.floor(math.log2(1 + 86_400 / 60))
    assert age_bucket(np.zeros((3, 4), dtype=np.int64)).shape == (3, 4)


def test_newest_stands_first_and_padding_is_zero_everywhere() -> None:
    item, event, age = encode_history(
        np.array([7, 8], np.int32),
        np.array([2, 5], np.uint8),
        np.array([NOW - 60, NOW - 3600]),
        NOW,
        length=4,
    )
    assert item.tolist() == [7, 8, 0, 0]
    assert event.tolist() == [2, 5, 0, 0]
    assert age.tolist() == [2, 6, 0, 0]
    assert (item.dtype, event.dtype, age.dtype) == (np.int32, np.int32, np.int32)


def test_an_empty_history_is_all_padding() -> None:
    empty = np.zeros(0, np.int32)
    rows = encode_history(empty, empty.astype(np.uint8), empty.astype(np.int64), NOW)
    assert all(row.shape == (HISTORY_LENGTH,) and not row.any() for row in rows)


def test_unknown_items_are_left_out_and_make_room() -> None:
    item, event, age = encode_history(
        np.array([0, 3, 0, 4, 5]), np.array([2, 3, 2, 4, 5]), np.full(5, NOW), NOW, length=2
    )
    assert item.tolist() == [3, 4]
    assert event.tolist() == [3, 4]
    assert age.tolist() == [1, 1]


def test_after_a_long_absence_only_the_distances_between_behaviours_count() -> None:
    times = np.array([NOW, NOW - 3600, NOW - 86_400])
    items, events = np.array([1, 2, 3]), np.array([2, 2, 2])
    after_a_week = encode_history(items, events, times, NOW + MAX_ABSENCE_S)
    after_a_year = encode_history(items, events, times, NOW + 365 * 86_400)
    sooner = encode_history(items, events, times, NOW + 60)
    np.testing.assert_array_equal(after_a_year[2], after_a_week[2])
    assert (sooner[2][:3] < after_a_week[2][:3]).all()


@st.composite
def flat_histories(
    draw: st.DrawFn,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    count = draw(st.integers(0, 30))
    items = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    events = draw(st.lists(st.integers(2, 5), min_size=count, max_size=count))
    ts = sorted(draw(st.lists(st.integers(NOW - 10**7, NOW + 100), min_size=count, max_size=count)))
    slices = [
        sorted((draw(st.integers(0, count)), draw(st.integers(0, count))))
        for _ in range(draw(st.integers(0, 6)))
    ]
    now = [draw(st.integers(NOW - 1000, NOW + 10**6)) for _ in slices]
    starts, ends = np.array(slices, dtype=np.int64).reshape(-1, 2).T
    return (
        np.array(items, np.int32),
        np.array(events, np.uint8),
        np.array(ts, np.int64),
        starts,
        ends,
        np.array(now, np.int64),
    )


@given(flat_histories(), st.integers(1, 12))
def test_batch_and_single_encoding_agree(flat: tuple[np.ndarray, ...], length: int) -> None:
    items, events, ts, starts, ends, now = flat
    batch = encode_history_batch(items, events, ts, starts, ends, now, length)
    assert all(rows.shape == (len(starts), length) and rows.dtype == np.int32 for rows in batch)
    for row, (start, end, moment) in enumerate(zip(starts, ends, now, strict=True)):
        newest_first = slice(start, end)
        single = encode_history(
            items[newest_first][::-1], events[newest_first][::-1], ts[newest_first][::-1], int(moment), length
        )
        for together, alone in zip(batch, single, strict=True):
            np.testing.assert_array_equal(together[row], alone)


@given(flat_histories())
def test_padding_is_a_suffix_and_the_same_in_all_rows(flat: tuple[np.ndarray, ...]) -> None:
    item, event, age = encode_history_batch(*flat, length=8)
    np.testing.assert_array_equal(item > 0, event > 0)
    np.testing.assert_array_equal(item > 0, age > 0)
    assert not ((item[:, :-1] == 0) & (item[:, 1:] > 0)).any()
