import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.durations import format_nanoseconds, go_duration, go_float, parse_duration


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("10s", 10_000_000_000),
        ("1m30s", 90_000_000_000),
        ("1.5h", 5_400_000_000_000),
        ("250ms", 250_000_000),
        ("10µs", 10_000),
        ("1h2m3s4ms5us6ns", 3_723_004_005_006),
    ],
)
def test_go_s_durations_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "10", "s", "10x", "-5s", "1s2", "ten s"])
def test_a_duration_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (305_001_000_000, "5m5.001s"),
        (18_305_000_000_000, "5h5m5s"),
        (3_600_000_000_000, "1h0m0s"),
    ],
)
def test_durations_are_written_as_go_writes_them(nanoseconds: int, text: str) -> None:
    assert go_duration(nanoseconds) == text


@given(st.integers(0, 10**15))
def test_what_is_written_is_read_back(nanoseconds: int) -> None:
    assert abs(parse_duration(go_duration(nanoseconds)) - nanoseconds) <= 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (200.0, "200"),
        (2e9, "2e+09"),
        (1e6, "1e+06"),
        (1.5e7, "1.5e+07"),
        (0.01, "0.01"),
        (0.00001, "1e-05"),
        (123456789.0, "1.23456789e+08"),
        (0.0, "0"),
        (-2.5, "-2.5"),
        (float("inf"), "+Inf"),
        (100000.0, "100000"),
    ],
)
def test_floats_are_written_as_prometheus_clients_write_them(value: float, text: str) -> None:
    assert go_float(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_is_the_same_number(value: float) -> None:
    assert float(go_float(value)) == value


@pytest.mark.parametrize(
    ("nanoseconds", "text"), [(950, "950 ns"), (28_480_000, "28.48 ms"), (1_070_000_000, "1.07 s")]
)
def test_latencies_are_printed_in_ghz_s_units(nanoseconds: int, text: str) -> None:
    assert format_nanoseconds(nanoseconds) == text
