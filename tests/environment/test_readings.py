"""What is read of a feed's content, what is left out, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environment import weather_file
from environment.measures import MEASURES
from environment.readings import FeedError, check_readings
from environment.weather_file import read_weather


def test_csv_in_other_units_is_converted() -> None:
    found = read_weather(
        "city,time,temp (°F),pressure[kPa],wind (km/h),pm2_5,alerts\n"
        "Beijing,2014-01-16T08:00:00+08:00,28.4,101.3,18,435,red;snow\n".encode()
    )
    (reading,) = found.readings
    assert (reading.city, reading.at_s) == ("Beijing", 1_389_830_400)
    assert reading.measures == {
        "temp": pytest.approx(-2.0),
        "pressure": pytest.approx(1013.0),
        "wind": pytest.approx(5.0),
        "pm2_5": 435.0,
    }
    assert reading.alerts == {"red", "snow"}
    assert not +found.dropped


def test_json_is_a_list_or_has_units() -> None:
    row = {"city": "Lyon", "time": 1_389_830_400_500, "temp": 300.15}
    (reading,) = read_weather(json.dumps({"units": {"temp": "K"}, "readings": [row]}).encode()).readings
    assert (reading.at_s, reading.measures["temp"], reading.alerts) == (
        1_389_830_400,
        pytest.approx(27.0),
        None,
    )
    (plain,) = read_weather(json.dumps([row | {"temp": "21", "alerts": ["heat"]}]).encode()).readings
    assert (plain.measures["temp"], plain.alerts) == (21.0, {"heat"})


def test_what_is_wrong_or_missing_is_left_out_and_counted() -> None:
    found = read_weather(
        b"city,time,temp,pm2_5,mood,alerts\n"
        b",2014-01-16,1,2,,\n"
        b"A,yesterday,1,2,,\n"
        b"A,2014-01-16T00:00Z,,NaN,,\n"
        b"A,2014-01-16T01:00Z,999,x,,\n"
        b"A,2014-01-16T02:00Z,nan,12,fine,Bad Name;ok\n"
        b"A,2014-01-16T03:00Z\n"
    )
    # Alerts of a column are none where it is empty, which is something to be known of the city.
    assert [reading.measures for reading in found.readings] == [{}, {}, {"pm2_5": 12.0}]
    assert found.readings[2].alerts == {"ok"}
    assert found.dropped == {
        "no_city": 1,
        "no_time": 1,
        "missing_temp": 2,
        "missing_pm2_5": 1,
        "not_possible": 1,
        "no_number": 1,
        "unknown_measure": 3,
        "alert_name": 1,
        "nothing_measured": 1,
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe", "no UTF-8"),
        (b"{", "no JSON"),
        (b'{"readings": 3}', "a list of readings"),
        (b"[1]", "a list of readings"),
        (b'{"units": [], "readings": []}', None),
        (b'{"units": {"temp": 3}, "readings": []}', "mapping of measures"),
        (b"", "no column city"),
        (b"city,temp\nA,1\n", "no column time"),
        (b"city,time,temp,temp (K)\n", "comes twice"),
        ("city,time,temp (°R)\n".encode(), "units that it may have are °C, °F, K"),
        (b'city,time\n"A,1\n', "no CSV"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_feed_that_is_none_is_refused(content: bytes, why: str | None) -> None:
    if why is None:
        assert read_weather(content).readings == ()
        return
    with pytest.raises(FeedError, match=why):
        read_weather(content)


def test_a_feed_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weather_file, "MOST_ROWS", 2)
    assert len(read_weather(b"city,time,temp\n" + b"A,1,1\n" * 2).readings) == 2
    with pytest.raises(FeedError, match="3 rows and 3 columns; at most 2"):
        read_weather(b"city,time,temp\n" + b"A,1,1\n" * 3)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for head in (b"", b"city,time,temp\n", b'[{"city": "A", "time": '):
        try:
            for reading in read_weather(head + content).readings:
                for name, value in reading.measures.items():
                    assert MEASURES[name].low <= value <= MEASURES[name].high
        except FeedError:
            pass


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.text(max_size=3), max_size=3),
)


@given(st.dictionaries(st.sampled_from(["city", "time", "alerts", "temp", "x"]), VALUES))
def test_any_row_is_a_reading_or_is_counted(row: dict[str, object]) -> None:
    found = check_readings([row], {})
    assert len(found.readings) == 1 or sum(found.dropped.values()) >= 1
