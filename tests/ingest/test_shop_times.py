"""Times in the forms that shops write: read where they mean one thing, refused where they do not."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from ingest.shop_tables import IngestError
from tests.ingest.small_shop import ROWS, columns, csv_text, moments, read, read_events

EXPECTED = [int(moment.timestamp() * 1_000) for moment in moments()]
MINUTES = [stamp - stamp % 60_000 for stamp in EXPECTED]
DAYS = [stamp - stamp % 86_400_000 for stamp in EXPECTED]


def times(tables: object) -> list[int]:
    return tables.events["ts_ms"].to_list()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("%Y-%m-%d %H:%M:%S UTC", EXPECTED),
        ("%Y-%m-%d %H:%M:%S GMT", EXPECTED),
        ("%Y-%m-%d %H:%M:%S.000 UTC", EXPECTED),
        ("%Y-%m-%d %H:%M:%S +0000 UTC", EXPECTED),
        ("%Y-%m-%dT%H:%MZ", MINUTES),
        ("%Y-%m-%d %H:%M+00:00", MINUTES),
        ("%Y-%m-%dT%H:%M:%S+0000", EXPECTED),
        ("%Y-%m-%dT%H:%M:%S+00:00[Etc/UTC]", EXPECTED),
        ("%Y/%m/%d %H:%M:%S", EXPECTED),
        ("%Y.%m.%d %H:%M", MINUTES),
        ("%Y%m%d", DAYS),
        ("%Y%m%d%H%M", MINUTES),
        ("%Y%m%d%H%M%S", EXPECTED),
        ("%Y%m%dT%H%M%SZ", EXPECTED),
        ("%d %b %Y %H:%M:%S", EXPECTED),
        ("%d-%b-%Y", DAYS),
        ("%b %d %Y %I:%M:%S %p", EXPECTED),
        ('"%B %d, %Y"', DAYS),
        ('"%a, %d %b %Y %H:%M:%S GMT"', EXPECTED),
        ("%a %b %d %H:%M:%S %Y", EXPECTED),
        ("%d/%b/%Y:%H:%M:%S +0000", EXPECTED),
        # 29 February shows which number is the day.
        ("%d.%m.%Y %H:%M", MINUTES),
        ("%m/%d/%Y %I:%M %p", MINUTES),
    ],
)
def test_forms_that_mean_one_thing_are_read(tmp_path: Path, form: str, expected: list[int]) -> None:
    texts = [moment.strftime(form) for moment in moments()]
    assert times(read_events(tmp_path, timestamp=texts)) == expected


def test_an_order_that_was_found_out_is_said(tmp_path: Path) -> None:
    tables = read_events(tmp_path, timestamp=[moment.strftime("%d/%m/%Y %H:%M") for moment in moments()])
    assert any("day first" in alarm for alarm in tables.alarms)


AMBIGUOUS = [f"0{1 + row % 3}-0{4 + row % 2}-2024 1{row % 10}:00" for row in range(ROWS)]


def test_dates_with_two_readings_are_refused_with_the_value_and_the_key(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        read_events(tmp_path, timestamp=AMBIGUOUS)
    message = str(refused.value)
    place = "events.csv, row 2, column 'timestamp'"
    for part in (place, "'01-04-2024 10:00'", "timestamp_format", "day first"):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("%d-%m-%Y %H:%M", datetime(2024, 4, 1, 10)),
        ("%m-%d-%Y %H:%M", datetime(2024, 1, 4, 10)),
        ("day-first", datetime(2024, 4, 1, 10)),
        ("month-first", datetime(2024, 1, 4, 10)),
    ],
)
def test_the_mapping_says_which_reading_is_right(tmp_path: Path, form: str, first: datetime) -> None:
    tables = read_events(tmp_path, f"events: {{timestamp_format: '{form}'}}", timestamp=AMBIGUOUS)
    assert tables.events["ts_ms"].cast(pl.Datetime("ms"))[0] == first
    assert tables.alarms == []


@pytest.mark.parametrize("form", ["%d-%m-%Y %H", "%Y/%m/%d"])
def test_a_format_that_does_not_fit_is_named(tmp_path: Path, form: str) -> None:
    with pytest.raises(IngestError, match=r"events\.timestamp_format"):
        read_events(tmp_path, f"events: {{timestamp_format: '{form}'}}", timestamp=AMBIGUOUS)


def test_both_orders_in_one_column_are_refused(tmp_path: Path) -> None:
    mixed = ["31-01-2024 10:00", "01-31-2024 10:00"] * 5
    with pytest.raises(IngestError, match="day first and month first"):
        read_events(tmp_path, timestamp=mixed)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda row: 1 + row, "'1' as seconds is 1970-01-01"),
        (lambda row: 20241399 + row, "as seconds is 1970-08-23"),
        (lambda row: 19_780 + row, "as seconds is 1970-01-01"),
        (lambda row: 0, "as seconds is 1970-01-01"),
        (lambda row: -1_709_200_000 + row, "which cannot be"),
        (lambda row: 17_092_000_000 + row, "2511"),
        (lambda row: f"1969-01-0{1 + row % 9}", "before 1990"),
        (lambda row: f"2924-01-0{1 + row % 9}", "in the future"),
        (lambda row: f"week {row}", "is no time that can be read"),
        (lambda row: "1.7092E+12", "is no time that can be read"),
        (lambda row: f"29.02.2024 10:0{row % 10} Uhr", "is no time that can be read"),
        (lambda row: "10:15", "is no time that can be read"),
        (lambda row: f"2024-03-01 10:0{row % 10} EST", "is no time that can be read"),
        (lambda row: f"1/4/24 10:0{row % 10}", "timestamp_format"),
    ],
)
def test_what_makes_no_plausible_time_is_refused_with_row_and_column(
    tmp_path: Path, value: Callable[[int], object], message: str
) -> None:
    with pytest.raises(IngestError, match=message) as refused:
        read_events(tmp_path, timestamp=[value(row) for row in range(ROWS)])
    assert "events.csv, row 2, column 'timestamp'" in str(refused.value)


@pytest.mark.parametrize("unit", ["ms", "us", "ns", "excel"])
def test_a_wrong_unit_is_refused(tmp_path: Path, unit: str) -> None:
    with pytest.raises(IngestError, match=rf"timestamp_unit \(now '{unit}'\)"):
        read_events(tmp_path, f"events: {{timestamp_unit: {unit}}}")


def test_excel_days_are_read_and_said_aloud(tmp_path: Path) -> None:
    days = [stamp / 86_400_000 + 25_569 for stamp in EXPECTED]
    tables = read_events(tmp_path, timestamp=days)
    assert times(tables) == pytest.approx(EXPECTED, abs=1)
    assert any("Excel" in alarm and "2024-02-29" in alarm for alarm in tables.alarms)
    said = read_events(tmp_path, "events: {timestamp_unit: excel}", timestamp=days)
    assert (times(said), said.alarms) == (times(tables), [])


def test_numbers_and_texts_in_one_column_are_both_read(tmp_path: Path) -> None:
    mixed = [stamp // 1_000 if row % 2 else moments()[row].isoformat() for row, stamp in enumerate(EXPECTED)]
    assert times(read_events(tmp_path, timestamp=mixed)) == EXPECTED


def test_a_few_unreadable_times_are_left_out_with_a_masked_example_and_an_alarm(tmp_path: Path) -> None:
    stamps = [moment.isoformat() for moment in moments()]
    tables = read_events(tmp_path, timestamp=["Jane ask", "NULL", *stamps[2:]])
    assert tables.events.height == ROWS - 2
    assert tables.removed == {"events.csv: no readable time": 2}
    assert tables.examples == {"events.csv: no readable time": "row 2: Aaaa aaa"}
    assert not any("Jane" in text for text in [*tables.alarms, *tables.examples.values()])


def test_single_rows_of_1970_are_left_out(tmp_path: Path) -> None:
    stamps = columns()["timestamp"]
    tables = read_events(tmp_path, timestamp=[0, 86_400, *stamps[2:]])
    assert tables.events.height == ROWS - 2
    assert sum(tables.removed.values()) == 2


def test_compact_dates_of_parquet_integers(tmp_path: Path) -> None:
    table = pl.DataFrame(columns(timestamp=[int(moment.strftime("%Y%m%d")) for moment in moments()]))
    table.write_parquet(tmp_path / "events.parquet")
    assert times(read(tmp_path, {})) == DAYS


def test_items_dates_of_arrival_take_the_same_forms(tmp_path: Path) -> None:
    items = "item_id,created_at\nthing0,2023-05-01 10:00 UTC\nthing1,20230501\nthing2,01/02/2023\nthing3,0\n"
    tables = read(tmp_path, {"events.csv": csv_text(columns()), "items.csv": items})
    assert tables.items is not None
    assert tables.items["created_at"].to_list() == [1_682_935_200, 1_682_899_200, None, None]
    assert tables.removed == {"items.csv: created_at cannot be read (counts as unknown)": 2}
