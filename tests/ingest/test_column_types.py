"""Whatever types a Parquet file has, ingest reads it or refuses it in one line."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from ingest.importers import generic
from ingest.shop_tables import IngestError
from tests.ingest.small_shop import NOW, ROWS, columns

VALUES = {
    "list": pl.Series([["a", "b"]] * ROWS),
    "bytes": pl.Series([b"\xff"] * ROWS),
    "struct": pl.Series([{"a": 1}] * ROWS),
    "decimal": pl.Series([Decimal("1.5")] * ROWS),
    "flag": pl.Series([True] * ROWS),
    "nan": pl.Series([float("nan")] * ROWS),
    "date": pl.Series([date(2024, 1, 1)] * ROWS),
    "time": pl.Series([time(1)] * ROWS),
    "duration": pl.Series([timedelta(1)] * ROWS),
    "moment": pl.Series([datetime(2024, 1, day + 1, tzinfo=UTC) for day in range(ROWS)]),
    "null": pl.Series([None] * ROWS),
    "uint64": pl.Series([2**64 - 1] * ROWS, dtype=pl.UInt64),
    "int8": pl.Series([1] * ROWS, dtype=pl.Int8),
    "int128": pl.Series([10**20] * ROWS, dtype=pl.Int128),
    "categories": pl.Series(["a"] * ROWS, dtype=pl.Categorical),
}
EVENTS = (
    "user_id",
    "item_id",
    "event",
    "timestamp",
    "scene",
    "position",
    "quantity",
    "price",
    "query",
    "event_id",
)
ITEMS = ("item_id", "category", "price", "title", "in_stock", "adult", "created_at", "colour")


@pytest.mark.parametrize("kind", list(VALUES))
@pytest.mark.parametrize(
    ("file", "column"), [*(("events", name) for name in EVENTS), *(("items", name) for name in ITEMS)]
)
def test_no_type_of_a_column_ends_in_a_crash(tmp_path: Path, file: str, column: str, kind: str) -> None:
    tables = {
        "events": pl.DataFrame({name: list(values) for name, values in columns().items()}),
        "items": pl.DataFrame({"item_id": [f"thing{row}" for row in range(ROWS)]}),
    }
    tables[file] = tables[file].with_columns(VALUES[kind].alias(column))
    tables["events"] = pl.concat([tables["events"], tables["events"].head(1)])
    for name, table in tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    with suppress(IngestError):
        generic.read(tmp_path, NOW)


def test_nested_ids_are_refused_by_name_and_type(tmp_path: Path) -> None:
    table = pl.DataFrame({name: list(values) for name, values in columns().items()})
    table.with_columns(VALUES["list"].alias("user_id")).write_parquet(tmp_path / "events.parquet")
    with pytest.raises(IngestError, match="column 'user_id' is of type List"):
        generic.read(tmp_path, NOW)
