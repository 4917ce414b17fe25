"""Columns of the events that can only describe items do so where no file does."""

from pathlib import Path

import polars as pl
import pytest

from ingest.shop_tables import ShopTables
from tests.ingest.small_shop import ROWS, columns, csv_text, read, read_events


def of_item(tables: ShopTables, name: str) -> dict[str, str]:
    assert tables.items is not None
    return dict(tables.items.select("item_id", name).iter_rows())


def test_a_log_without_items_gives_them_their_commonest_category_and_title(tmp_path: Path) -> None:
    category = [str(row % 4) for row in range(ROWS)]
    category[8] = "odd"
    tables = read_events(tmp_path, category_id=category, Title=[f"Thing {row % 4}" for row in range(ROWS)])
    assert of_item(tables, "category") == {f"thing{number}": str(number) for number in range(4)}
    assert of_item(tables, "title") == {f"thing{number}": f"Thing {number}" for number in range(4)}
    assert len(tables.alarms) == 1
    assert "Title, category_id in their events as title, category" in tables.alarms[0]


def test_a_name_is_before_a_number_of_the_category(tmp_path: Path) -> None:
    tables = read_events(tmp_path, category_id=[7] * ROWS, category=["tea"] * ROWS)
    assert set(of_item(tables, "category").values()) == {"tea"}


def test_a_file_of_items_is_what_describes_them(tmp_path: Path) -> None:
    events = csv_text(columns(category=["tea"] * ROWS))
    items = csv_text({"item_id": [f"thing{number}" for number in range(4)], "brand": ["Alder"] * 4})
    tables = read(tmp_path, {"events.csv": events, "items.csv": items})
    assert tables.items is not None
    assert "category" not in tables.items.columns
    assert (tables.events["category"] == "tea").all()
    assert not tables.alarms


@pytest.mark.parametrize(
    "mapping",
    [
        "items: {from_events: {brand: category}}",
        "users: {from_events: {city: category}}",
        "events: {columns: {scene: category}}",
        "events: {event_by_number: {column: category, at_least: {purchase: 1}}}",
    ],
)
def test_a_column_that_the_mapping_uses_otherwise_is_no_category(tmp_path: Path, mapping: str) -> None:
    tables = read_events(tmp_path, mapping, category=[5] * ROWS)
    assert tables.items is None or "category" not in tables.items.columns
    assert not tables.alarms


def test_a_log_of_several_files_does_so_too(tmp_path: Path) -> None:
    table = pl.DataFrame(columns(category_id=[row % 4 for row in range(ROWS)]))
    folder = tmp_path / "events"
    folder.mkdir()
    for part in range(2):
        table[5 * part : 5 * part + 5].write_parquet(folder / f"part-{part}.parquet")
    tables = read(tmp_path, {})
    assert of_item(tables, "category") == {f"thing{number}": str(number) for number in range(4)}
    assert len(tables.alarms) == 1
