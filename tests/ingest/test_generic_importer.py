from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ingest.importers import generic
from ingest.shop_tables import IngestError, ShopTables
from ingest.table_files import UnreadableFile
from snapshot.event_codes import CART, PURCHASE, VIEW

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = "user_id,item_id,event,timestamp\nu1,i1,view,1700000000\nu1,i2,purchase,1700000060\n"


def read(folder: Path, **files: str) -> ShopTables:
    for name, content in files.items():
        (folder / name.replace("_yaml", ".yaml").replace("_csv", ".csv")).write_text(
            content, encoding="utf-8"
        )
    return generic.read(folder, NOW)


def test_events_alone_are_enough(tmp_path: Path) -> None:
    tables = read(tmp_path, events_csv=EVENTS)
    assert tables.events.sort("ts_ms").select("user_id", "item_id", "event", "ts_ms").rows() == [
        ("u1", "i1", VIEW, 1700000000000),
        ("u1", "i2", PURCHASE, 1700000060000),
    ]
    assert (tables.items, tables.users, tables.removed) == (None, None, {})


def test_optional_columns_are_typed_and_unknown_ones_kept(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        events_csv="user_id,item_id,event,timestamp,scene,position,session_id,quantity,price,weather\n"
        "u1,i1,purchase,1700000000,home,3,s1,2,9.5,rain\n",
        items_csv="item_id,category,std_category,brand,shop,price,title,in_stock,adult,created_at,colour\n"
        "i1,tea,kitchen,Alder,North,3.5,Green tea,yes,0,2023-01-01,green\n",
        users_csv="user_id,gender,age_band,city,purchasing_power,shoe_size\nu1,f,18-24,Bonn,high,43\n",
    )
    assert tables.events.drop("ts_ms").to_dicts() == [
        {
            "user_id": "u1", "item_id": "i1", "event": PURCHASE, "scene": "home", "position": 3,
            "session_id": "s1", "quantity": 2.0, "price": 9.5, "weather": "rain",
        }
    ]  # fmt: skip
    assert tables.items is not None
    assert tables.items.to_dicts() == [
        {
            "item_id": "i1", "category": "tea", "standard_category": "kitchen", "brand": "Alder",
            "shop": "North", "price": 3.5, "title": "Green tea", "in_stock": True, "adult": False,
            "created_at": 1672531200, "colour": "green",
        }
    ]  # fmt: skip
    assert tables.users is not None
    assert tables.users["shoe_size"].to_list() == ["43"]


def test_columns_events_units_and_constants_are_mapped(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        mapping_yaml="""
source: The corner shop
events:
  file: log.csv
  columns: {user_id: who, item_id: what, event: did, timestamp: at}
  event_names: {"In Basket": cart, glanced: view, left: ignore}
  timestamp_unit: ms
""",
        log_csv="who,what,did,at,user\nu1,i1,in basket,1700000000000,x\nu1,i1,Glanced,1700000000001,y\n"
        "u1,i1,left,1700000000002,z\n",
    )
    assert tables.source == "The corner shop"
    assert tables.events.select("event", "ts_ms", "source_user").rows() == [
        (CART, 1700000000000, "x"),
        (VIEW, 1700000000001, "y"),
    ]
    assert tables.removed == {"log.csv: event not used": 1}


def test_attributes_may_be_taken_out_of_the_events(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        mapping_yaml="""
events: {event: purchase, exclude: {item_id: [POST]}}
items: {from_events: {title: description}}
users: {from_events: {city: country}}
""",
        events_csv="user_id,item_id,timestamp,description,country,quantity\n"
        "u1,i1,2024-01-01 10:00,Mug,DE,1\n"
        "u1,i1,2024-01-02 10:00,Mug,DE,1\n"
        "u2,i1,2024-01-03 10:00,MUG?,FR,1\n"
        "u2,i2,2024-01-03 10:00,,,1\n"
        "u2,i2,2024-01-03 10:00,returned,,-1\n"
        "u2,POST,2024-01-03 10:00,Postage,FR,1\n"
        ",i2,2024-01-03 10:00,damaged,,1\n",
    )
    assert tables.items is not None
    assert tables.items.rows() == [("i1", "Mug"), ("i2", None)]
    assert tables.users is not None
    assert tables.users.rows() == [("u1", "DE"), ("u2", "FR")]
    assert "description" not in tables.events.columns
    assert tables.removed == {
        "events.csv: excluded by item_id": 1,
        "events.csv: no user": 1,
        "events.csv: returned or cancelled (quantity not above 0)": 1,
    }


def test_an_items_file_is_completed_by_the_events(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        mapping_yaml="items: {from_events: {category: cat, brand: label}}",
        events_csv="user_id,item_id,event,timestamp,cat,label\nu,i1,view,1700000000,tea,Alder\n"
        "u,i2,view,1700000000,mugs,Birch\n",
        items_csv="item_id,category,title\ni1,TEA,Green tea\n",
    )
    assert tables.items is not None
    assert sorted(tables.items.select("item_id", "category", "title", "brand").rows()) == [
        ("i1", "TEA", "Green tea", "Alder"),
        ("i2", None, None, "Birch"),
    ]


def test_the_period_can_be_bounded(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        mapping_yaml="events: {not_before: 2023-11-14T22:13:21Z, not_after: 2023-11-14T22:14:19}",
        events_csv=EVENTS + "u1,i1,view,1700000030\n",
    )
    assert tables.events["ts_ms"].to_list() == [1700000030000]
    assert tables.removed == {"events.csv: excluded by not_before": 1, "events.csv: excluded by not_after": 1}


def test_repeated_and_nameless_items_and_unreadable_values_are_counted(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        events_csv=EVENTS,
        items_csv="item_id,price,in_stock\ni1,1,yes\ni1,2,perhaps\n,3,no\ni2,cheap,no\ni3,-1,\n",
    )
    assert tables.items is not None
    assert tables.items.rows() == [("i1", 2.0, None), ("i2", None, False), ("i3", None, None)]
    assert tables.removed == {
        "items.csv: no item_id": 1,
        "items.csv: repeated item_id (the last row counts)": 1,
        "items.csv: price cannot be read (counts as unknown)": 2,
        "items.csv: in_stock cannot be read (counts as unknown)": 1,
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"events_csv": "user,item_id,event,timestamp\n"},
            r"events\.csv: has no column 'user_id'.*user, item_id",
        ),
        ({"events_csv": EVENTS, "items_csv": "sku\n1\n"}, r"items\.csv: has no column 'item_id'"),
        (
            {"events_csv": EVENTS, "mapping_yaml": "events: {columns: {price: cost}}"},
            "no column 'cost' for 'price'",
        ),
        (
            {"events_csv": EVENTS, "mapping_yaml": "events: {colums: {}}"},
            r"mapping\.yaml: events\.colums: is no key .*columns",
        ),
        ({"events_csv": EVENTS, "mapping_yaml": "events: {event_names: {a: b}}"}, r"event_names\.a"),
        ({"events_csv": EVENTS, "mapping_yaml": "events: ["}, r"mapping\.yaml: is no readable YAML"),
        ({"events_csv": EVENTS, "mapping_yaml": "events: {exclude: {x: [y]}}"}, "no column 'x'"),
        (
            {"events_csv": EVENTS, "mapping_yaml": "items: {from_events: {title: x}}"},
            "no column 'x' for 'title'",
        ),
        ({"mapping_yaml": "source: x"}, "has no events file"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(IngestError, match=message):
        read(tmp_path, **files)


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"log\.csv: there is no such file"):
        read(tmp_path, mapping_yaml="events: {file: log.csv}")


def test_parquet_with_typed_columns(tmp_path: Path) -> None:
    pl.DataFrame(
        {"user_id": [1.0, None], "item_id": [7, 8], "event": ["PV", "pv"], "ts": [datetime(2024, 1, 1)] * 2},
        schema_overrides={"event": pl.Categorical},
    ).write_parquet(tmp_path / "events.parquet")
    tables = read(tmp_path)
    assert tables.events.rows() == [(1, 7, VIEW, 1704067200000)]
    assert tables.removed == {"events.parquet: no user": 1}
