from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.context import CONTEXT_SIZES, DEVICES, encode_context, encode_context_batch
from features.profile import PROFILE_FIELDS, encode_profile

VOCAB = {"gender": ["f", "m"], "age_band": ["18-24", "25-34"], "city": [], "purchasing_power": ["low"]}


def test_profile_codes_are_positions_plus_one_in_field_order() -> None:
    codes = encode_profile({"gender": "m", "age_band": "18-24", "purchasing_power": "low"}, VOCAB)
    assert codes.tolist() == [2, 1, 0, 1]
    assert codes.dtype == np.int32
    assert PROFILE_FIELDS == ("gender", "age_band", "city", "purchasing_power")


def test_unknown_fields_and_values_are_zero() -> None:
    assert encode_profile({}, VOCAB).tolist() == [0, 0, 0, 0]
    assert encode_profile({"gender": "x", "city": "Bonn", "shoe_size": "43"}, VOCAB).tolist() == [0, 0, 0, 0]
    assert encode_profile({"gender": "f"}, {}).tolist() == [0, 0, 0, 0]


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))
def test_context_agrees_with_the_calendar(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    codes = encode_context(int(moment.timestamp()), "desktop")
    assert codes.tolist() == [moment.hour + 1, moment.weekday() + 1, DEVICES.index("desktop") + 1]
    assert codes.dtype == np.int32


@given(st.lists(st.tuples(st.integers(0, 2**33), st.sampled_from([*DEVICES, "", "fridge"])), max_size=20))
def test_context_batch_and_single_agree_and_stay_in_range(requests: list[tuple[int, str]]) -> None:
    now = np.array([moment for moment, _ in requests], dtype=np.int64)
    devices = np.array([DEVICES.index(d) + 1 if d in DEVICES else 0 for _, d in requests], dtype=np.int32)
    batch = encode_context_batch(now, devices)
    assert batch.shape == (len(requests), len(CONTEXT_SIZES))
    assert (batch < np.array(CONTEXT_SIZES)).all()
    for row, (moment, device) in zip(batch, requests, strict=True):
        np.testing.assert_array_equal(row, encode_context(moment, device))


def test_context_batch_without_devices_leaves_them_unknown() -> None:
    assert encode_context_batch(np.array([0, 1])).tolist() == [[1, 4, 0], [1, 4, 0]]
