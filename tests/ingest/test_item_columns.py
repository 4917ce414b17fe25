"""Every registered column of an items file is read alike: its name, its numbers, times and empty values."""

from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from snapshot.item_columns import ItemColumn
from tests.ingest.small_shop import columns, csv_text, ingest, read
from tests.snapshot.plugin_columns import registered

EVENTS = {"events.csv": csv_text(columns())}


def test_amounts_are_read_in_the_shops_notation_in_every_column(tmp_path: Path) -> None:
    items = "item_id;price;list_price;weight\nthing0;9,99 €;1.234,50 €;0,5\nthing1;12,00 €;ask;1,25\n"
    with registered(weight=ItemColumn.value("Weight.", unit="kg")):
        tables = read(tmp_path, EVENTS | {"items.csv": items})
    assert tables.items is not None
    assert tables.items["list_price"].to_list() == [1234.5, None]
    assert tables.items["weight"].to_list() == [0.5, 1.25]
    reason = "items.csv: list_price cannot be read (counts as unknown)"
    assert tables.removed == {reason: 1}
    assert tables.examples[reason] == "row 3: aaa"
    assert any("list_price" in alarm and "items.decimal" in alarm for alarm in tables.alarms)


def test_names_are_known_in_any_case_and_placeholders_are_no_regions(tmp_path: Path) -> None:
    items = "ITEM_ID,Region,Venue,List_Price\nthing0,NULL,n/a,3\nthing1,Köln,Hall 1,4\nthing2,,,5\n"
    catalogue = ingest(tmp_path, EVENTS | {"items.csv": items}).catalogue
    dense = catalogue.dense(["thing0", "thing1", "thing2"])
    assert catalogue.names("region", catalogue.column("region")[dense]) == ["", "Köln", ""]
    assert catalogue.names("venue", catalogue.column("venue")[dense]) == ["", "Hall 1", ""]
    assert catalogue.column("list_price")[dense].tolist() == [3.0, 4.0, 5.0]


def test_tags_are_read_as_one_text_with_bars_between_them(tmp_path: Path) -> None:
    tags = pl.DataFrame({"item_id": ["thing0", "thing1"], "tags": [["organic", "gluten free"], None]})
    buffer = BytesIO()
    tags.write_parquet(buffer)
    written = "item_id,tags\nthing0,organic|gluten free\nthing1,\n"
    for files in ({"items.parquet": buffer.getvalue()}, {"items.csv": written}):
        folder = tmp_path / next(iter(files))
        folder.mkdir()
        catalogue = ingest(folder, EVENTS | files).catalogue
        found = catalogue.texts("tags", catalogue.dense(["thing0", "thing1"]))
        assert found == ["organic|gluten free", ""]
    absent = ingest(tmp_path, EVENTS).catalogue
    assert set(absent.texts("tags", np.arange(absent.size + 1))) == {""}


def test_every_time_of_an_item_is_read_by_the_items_format(tmp_path: Path) -> None:
    items = "item_id,starts_at,expires_at\nthing0,01.03.2024,31.03.2024\nthing1,,soon\n"
    mapping = 'items: {timestamp_format: "%d.%m.%Y %H:%M"}\n'
    items = items.replace("2024", "2024 06:00")
    tables = read(tmp_path, EVENTS | {"items.csv": items, "mapping.yaml": mapping})
    assert tables.items is not None
    assert tables.items["starts_at"].to_list() == [1_709_272_800, None]
    assert tables.items["expires_at"].to_list() == [1_711_864_800, None]
    reason = "items.csv: expires_at cannot be read (counts as unknown)"
    assert (tables.removed[reason], tables.examples[reason]) == (1, "row 3: aaaa")
    assert any("items.timestamp_format" in alarm for alarm in tables.alarms)


def test_large_integers_of_a_shops_own_column_stay_exact(tmp_path: Path) -> None:
    items = f"item_id,code\nthing0,{2**53 + 1}\nthing1,7\n"
    with registered(code=ItemColumn.value("Code.", dtype=np.int64, default=0)):
        tables = read(tmp_path, EVENTS | {"items.csv": items})
    assert tables.items is not None
    assert tables.items["code"].to_list() == [2**53 + 1, 7]
