"""Logs with too little in them, and rows that occur twice."""

from pathlib import Path

import polars as pl
import pytest

from ingest.settings import CutSettings
from ingest.shop_tables import IngestError
from ingest.time_cuts import time_cuts
from tests.ingest.small_shop import ROWS, START, columns, csv_text, ingest, read_events


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"timestamp": [START] * ROWS, "note": range(ROWS)},
            r"all 10 events fall into one moment \(2024-02-29 09:46\)",
        ),
        ({"item_id": ["thing0"] * ROWS}, "are all of one item, which leaves nothing to rank"),
        ({"event": ["impression"] * ROWS}, "all 10 events are impressions"),
        (
            {"user_id": [f"u{row}" for row in range(ROWS)]},
            "no shopper does anything for the second time before",
        ),
    ],
)
def test_a_log_from_which_nothing_can_be_learnt_is_refused_in_dates(
    tmp_path: Path, changed: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(IngestError, match=message):
        ingest(tmp_path, {"events.csv": csv_text(columns(**changed))})


@pytest.mark.parametrize("event", ["purchase", "impression"])
def test_one_event_is_refused(tmp_path: Path, event: str) -> None:
    with pytest.raises(IngestError, match=r"the only event|all of one item"):
        ingest(tmp_path, {"events.csv": f"user_id,item_id,event,timestamp\nu,i,{event},{START}\n"})


def test_what_was_left_out_is_named_where_too_little_is_left(tmp_path: Path) -> None:
    items = ["NULL"] * (ROWS - 1) + ["thing0"]
    with pytest.raises(IngestError, match=r"left out: 9 × events\.csv: no item"):
        ingest(tmp_path, {"events.csv": csv_text(columns(item_id=items))})


def test_a_small_log_is_ingested_with_an_alarm(tmp_path: Path) -> None:
    manifest = ingest(tmp_path, {"events.csv": csv_text(columns())}).manifest
    assert manifest.rows["events"] == manifest.rows["events_read"] == ROWS
    assert any(f"only {ROWS} events are left" in alarm for alarm in manifest.alarms)


def test_cuts_that_fall_into_one_moment_part_where_the_log_allows() -> None:
    days = pl.Series([1, 1, 1, 2, 2, 3, 3, 3, 3, 3])
    cuts = time_cuts(days, CutSettings())
    assert (cuts.valid_from, cuts.test_from) == (2, 3)
    assert time_cuts(pl.Series([5] * 4), CutSettings()).valid_from == 5
    assert time_cuts(pl.Series([1, 5, 5, 5]), CutSettings()).valid_from == 5


def test_exact_duplicates_are_left_out_and_counted(tmp_path: Path) -> None:
    usual = columns()
    twice = {name: [value for value in values for _ in range(2)] for name, values in usual.items()}
    tables = read_events(tmp_path, **twice)
    assert tables.events.height == ROWS
    assert tables.removed == {"events.csv: exact duplicate of an earlier row": ROWS}
    assert tables.rows_read == 2 * ROWS
    numbered = read_events(tmp_path, **twice, line=list(range(2 * ROWS)))
    assert numbered.events.height == 2 * ROWS


def test_dates_alone_do_not_make_duplicates(tmp_path: Path) -> None:
    tables = read_events(
        tmp_path,
        user_id=["u"] * ROWS, item_id=["i"] * ROWS, timestamp=["2024-03-01"] * ROWS,
    )  # fmt: skip
    assert tables.events.height == ROWS
    assert any("9 rows repeat an earlier one" in alarm for alarm in tables.alarms)


def test_event_ids_say_what_is_the_same_event(tmp_path: Path) -> None:
    ids = ["e1", "e1", *(f"e{row}" for row in range(2, ROWS))]
    tables = read_events(tmp_path, event_id=ids)
    assert tables.removed == {"events.csv: repeated event_id (the first row counts)": 1}
    mapped = read_events(tmp_path, "events: {columns: {event_id: nr}}", nr=ids)
    assert mapped.events.height == ROWS - 1
    absent = read_events(tmp_path, event_id=[""] * ROWS)
    assert absent.events.height == ROWS
