"""A mistake of an importer is named as its own, with the column and the type that is expected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ingest.importer_check import check_handed_over
from ingest.importers.registry import IMPORTERS, Importer
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from ingest.shop_tables import IngestError, ShopTables

EVENTS = pl.DataFrame(
    {
        "user_id": ["a", "b"],
        "item_id": [1, 2],
        "event": [5, 2],
        "ts_ms": [1_700_000_000_000, 1_700_000_001_000],
    },
    schema_overrides={"event": pl.UInt8},
)
ITEMS = pl.DataFrame({"item_id": ["1", "2"], "category": ["x", None], "price": [1.0, 2.0]})
TABLES = ShopTables("shop", EVENTS, ITEMS, pl.DataFrame({"user_id": ["a"], "age_band": ["25-34"]}))


def test_tables_as_they_are_described_pass() -> None:
    check_handed_over(TABLES, "mini")
    check_handed_over(
        ShopTables("shop", EVENTS.with_columns(scene=pl.lit("home"), further=pl.lit(True))), "mini"
    )


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"events": EVENTS.with_columns(pl.lit("view").alias("event"))}, "events.event is String, uint8 "),
        ({"events": EVENTS.with_columns(pl.col("event").cast(pl.Int64))}, "events.event is Int64, uint8 "),
        ({"events": EVENTS.drop("ts_ms")}, "events has no column ts_ms, int64"),
        (
            {"events": EVENTS.with_columns(pl.col("ts_ms").cast(pl.Float64))},
            "events.ts_ms is Float64, int64 is",
        ),
        ({"events": EVENTS.with_columns(user_id=pl.Series(["a", None]))}, "events.user_id has 1 nulls"),
        ({"events": EVENTS.with_columns(position=pl.lit("1"))}, "events.position is String, a number is"),
        ({"items": ITEMS.with_columns(pl.col("item_id").cast(pl.Int64))}, "items.item_id is Int64, str is"),
        ({"items": ITEMS.with_columns(in_stock=pl.lit("yes"))}, "items.in_stock is String, bool is expected"),
        ({"users": pl.DataFrame({"user": ["a"]})}, "users has no column user_id, str"),
    ],
)
def test_each_fault_is_named(changed: dict[str, pl.DataFrame], fault: str) -> None:
    with pytest.raises(IngestError) as caught:
        check_handed_over(replace(TABLES, **changed), "mini")
    assert str(caught.value).startswith(f"the log format mini hands over tables that cannot be used: {fault}")


def test_a_folder_is_checked_before_anything_is_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "mini.csv").write_text("")
    wrong = ShopTables("shop", EVENTS.drop("event"))
    reader = Importer(lambda folder: (folder / "mini.csv").exists(), lambda folder, now: wrong, "mini.csv")
    IMPORTERS.add("mini", reader, __name__)
    try:
        with pytest.raises(IngestError, match=r"mini hands over .*: events has no column event"):
            ingest_folder(tmp_path, tmp_path / "made", IngestSettings(), 1, created_at=datetime.now(UTC))
    finally:
        IMPORTERS.remove(__name__)
    assert not (tmp_path / "made").exists()
