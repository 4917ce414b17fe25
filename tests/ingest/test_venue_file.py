"""The shop's file of venues: which hall, channel or live room shows each item."""

from pathlib import Path

import pytest

from ingest.shop_tables import IngestError
from tests.ingest.small_shop import columns, csv_text, read

ITEMS = "item_id,category\nthing0,lamp\nthing1,bed\nthing2,\n"


def files(venues: str, items: str = ITEMS) -> dict[str, str]:
    return {"events.csv": csv_text(columns()), "items.csv": items, "venues.csv": venues}


def venue(folder: Path, venues: str, items: str = ITEMS) -> dict[str, str | None]:
    table = read(folder, files(venues, items)).items
    assert table is not None
    return dict(table.select("item_id", "venue").sort("item_id").iter_rows())


def test_an_item_has_the_venue_of_the_file_by_its_title_unless_it_names_its_own(tmp_path: Path) -> None:
    text = "venue,item_id,title\nv1,thing0,Lights\nv1,thing1,\nv2,thing2,\n"
    assert venue(tmp_path, text) == {"thing0": "Lights", "thing1": "Lights", "thing2": "v2"}
    own = "item_id,category,venue\nthing0,lamp,mine\nthing1,bed,\n"
    assert venue(tmp_path / "own", text, own) == {"thing0": "mine", "thing1": "Lights"}


def test_of_several_venues_the_first_holds_and_the_others_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, files("venue,item_id\nv2,thing0\nv1,thing0\nv1,thing1\nv1,thing1\n"))
    assert found.items is not None
    assert dict(found.items.select("item_id", "venue").iter_rows())["thing0"] == "v2"
    assert found.changed["venues.csv: further venues of an item left out"] == 1


def test_a_file_without_the_columns_is_refused_and_one_of_unknown_items_is_an_alarm(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"has no column 'item_id'"):
        venue(tmp_path, "venue,thing\nv1,thing0\n")
    alarms = read(tmp_path, files("venue,item_id\nv1,elsewhere\n")).alarms
    assert any("no item of this file is in the items file" in alarm for alarm in alarms)
