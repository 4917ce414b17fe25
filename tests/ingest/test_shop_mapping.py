"""Mappings that name a column twice, take attributes from mapped columns, or set thresholds."""

from pathlib import Path

import polars as pl
import pytest

from ingest.importers.registry import detect_layout
from ingest.shop_tables import IngestError, ShopTables
from snapshot.event_codes import PURCHASE, VIEW
from tests.ingest.small_shop import ROWS, columns, csv_text, ingest, read, read_events


def items_of(tables: ShopTables) -> dict[str, object]:
    assert tables.items is not None
    return {row["item_id"]: row for row in tables.items.to_dicts()}


def test_one_column_may_be_two_of_ours(tmp_path: Path) -> None:
    for mapping in (
        "events: {columns: {user_id: user_id, session_id: user_id}}",
        "events: {columns: {session_id: user_id}}",
        "events: {columns: {user_id: user_id, session_id: user_id, scene: user_id}}",
    ):
        events = read_events(tmp_path, mapping).events
        assert events["session_id"].to_list() == events["user_id"].to_list() == columns()["user_id"]


def test_a_column_of_the_file_for_two_of_ours_under_a_third_name(tmp_path: Path) -> None:
    changed = columns()
    changed["who"] = changed.pop("user_id")
    events = read(
        tmp_path,
        {
            "events.csv": csv_text(changed),
            "mapping.yaml": "events: {columns: {user_id: who, session_id: who}}",
        },
    ).events
    assert events["session_id"].to_list() == events["user_id"].to_list()
    assert "who" not in events.columns


@pytest.mark.parametrize("name", ["user", "item", "ts", "ts_ms", "code", "source_row"])
def test_further_columns_may_have_any_name(tmp_path: Path, name: str) -> None:
    extra = {name: ["a"] * ROWS, f"source_{name}": ["b"] * ROWS, f"source_{name}_2": ["c"] * ROWS}
    dataset = ingest(
        tmp_path,
        {
            "events.csv": csv_text(columns(**extra)),
            "items.csv": "item_id,item,item_right,source_item,brand\nthing0,a,b,c,d\n",
            "users.csv": "user_id,user,gender_code,source_user,city\nshopper0,a,b,c,d\n",
        },
    )
    events = dataset.events().collect()
    kept = (f"source_{name}_3", f"source_{name}", f"source_{name}_2")
    assert [events[column][0] for column in kept] == list("abc")
    assert dataset.manifest.rows["items_without_attributes"] == 3


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("item_id,stock,price", {"in_stock": "stock"}),
        (
            "item_id,Stock Status,product-title,brandName",
            {"in_stock": "Stock Status", "title": "product-title", "brand": "brandName"},
        ),
        ("item_id,in_stock,stock,min_price,price", {}),
        ("item_id,at,in,colour,category,category_code", {}),
    ],
)
def test_a_column_that_nothing_reads_and_may_be_one_that_is_absent_is_named(
    tmp_path: Path, header: str, meant: dict[str, str]
) -> None:
    rows = "".join(f"thing{row}" + ",1" * header.count(",") + "\n" for row in range(3))
    tables = read(tmp_path, {"events.csv": csv_text(columns()), "items.csv": f"{header}\n{rows}"})
    for ours, theirs in meant.items():
        assert any(f"write items: {{columns: {{{ours}: {theirs!r}}}}}" in alarm for alarm in tables.alarms)
    assert len([alarm for alarm in tables.alarms if "nothing reads" in alarm]) == len(meant)


def test_a_title_may_be_the_id(tmp_path: Path) -> None:
    mapping = "items: {from_events: {title: item_id}}\nusers: {from_events: {city: user_id}}"
    tables = read_events(tmp_path, mapping)
    assert items_of(tables)["thing1"] == {"item_id": "thing1", "title": "thing1"}
    assert {"user_id", "item_id"} <= set(tables.events.columns)
    mapped = columns()
    mapped["sku"] = mapped.pop("item_id")
    files = {
        "events.csv": csv_text(mapped | {"amount": [9.5] * ROWS, "label": ["x"] * ROWS}),
        "mapping.yaml": "events: {columns: {item_id: sku, price: amount}}\n"
        "items: {from_events: {title: sku, price: amount, brand: label, category: price}}",
    }
    tables = read(tmp_path, files)
    assert items_of(tables)["thing1"] == {
        "item_id": "thing1", "title": "thing1", "price": 9.5, "brand": "x", "category": "9.5",
    }  # fmt: skip
    assert tables.events["price"].to_list() == [9.5] * ROWS
    assert not any(name.startswith("from_events") for name in tables.events.columns)


def test_a_source_of_attributes_that_is_absent_is_named_with_the_files_columns(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"no column 'label' for 'brand'; it has user_id, .*, timestamp;"):
        read_events(tmp_path, "items: {from_events: {brand: label}}")


def test_ratings_become_events_by_threshold(tmp_path: Path) -> None:
    stars = [5, 4, 3, 2, 1, "4,5", "", 4, 5, 5]
    usual = columns()
    del usual["event"]
    files = {
        "events.csv": csv_text(usual | {"stars": [f'"{star}"' for star in stars]}),
        "mapping.yaml": "events: {event_by_number: {column: stars, at_least: {purchase: 4, view: 2}}}",
    }
    tables = read(tmp_path, files)
    assert tables.events["event"].to_list() == [PURCHASE] * 2 + [VIEW] * 2 + [PURCHASE] * 4
    assert tables.removed == {"events.csv: event not used": 1, "events.csv: no event name": 1}
    mapping = "events: {event_by_number: {column: score, at_least: {purchase: 4}}}"
    with pytest.raises(IngestError, match=r"no column 'score'; correct events\.event_by_number"):
        read(tmp_path, {"mapping.yaml": mapping})


@pytest.mark.parametrize("category", ["Home|Garden", "Home > Garden > Pots", "a, b"])
def test_several_categories_are_kept_whole(tmp_path: Path, category: str) -> None:
    items = f'item_id,category\nthing0,"{category}"\n'
    assert items_of(read(tmp_path, {"events.csv": csv_text(columns()), "items.csv": items}))["thing0"] == {
        "item_id": "thing0", "category": category,
    }  # fmt: skip


def test_lists_of_categories_are_kept_whole(tmp_path: Path) -> None:
    items = pl.DataFrame({"item_id": ["thing0"], "category": [["Home", "Garden"]]})
    items.write_parquet(tmp_path / "items.parquet")
    described = items_of(read(tmp_path, {"events.csv": csv_text(columns())}))
    assert described["thing0"] == {"item_id": "thing0", "category": "Home|Garden"}


def test_mapping_yml_is_read_and_two_mappings_are_refused(tmp_path: Path) -> None:
    changed = columns()
    changed["who"] = changed.pop("user_id")
    files = {"events.csv": csv_text(changed), "mapping.yml": "events: {columns: {user_id: who}}"}
    assert read(tmp_path, files).events.height == ROWS
    assert detect_layout(tmp_path) == "generic"
    with pytest.raises(IngestError, match=r"has mapping\.yaml and mapping\.yml"):
        read(tmp_path, {"mapping.yaml": ""})


def test_names_in_other_capitals_are_ours(tmp_path: Path) -> None:
    text = csv_text({name.upper(): values for name, values in columns().items()})
    assert read(tmp_path, {"events.csv": text}).events.height == ROWS


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("just words", r"mapping\.yaml: must hold keys \(source, events, items, users\), not a str"),
        ("events: {colums: {}}", r"events\.colums: is no key of this section, which may hold .*columns"),
        ("evnts: {}", "evnts: is no key of this section, which may hold source, events, items, users"),
        ("events: [", r"is no readable YAML \(line 1, column"),
        ("events: {event_by_number: {colum: x, at_least: {view: 1}}}", "may hold column, at_least"),
    ],
)
def test_faults_of_the_mapping_are_one_clear_line(tmp_path: Path, mapping: str, message: str) -> None:
    with pytest.raises(IngestError, match=message) as refused:
        read_events(tmp_path, mapping)
    for forbidden in ("\n", "pydantic", "{'"):
        assert forbidden not in str(refused.value)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("events: {not_before: 2030-01-01}", "all 10 rows are before not_before 2030-01-01"),
        ("events: {not_after: 2020-01-01}", "all 10 rows are after not_after 2020-01-01"),
        ("events: {exclude: {event: [purchase]}}", r"no row is left after events\.exclude"),
    ],
)
def test_bounds_that_leave_nothing_say_so(tmp_path: Path, mapping: str, message: str) -> None:
    with pytest.raises(IngestError, match=message):
        read_events(tmp_path, mapping)
