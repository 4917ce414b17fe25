"""The shop's file of categories: what standard category and group each leaf category belongs to."""

from pathlib import Path

import pytest

from ingest.shop_tables import IngestError
from tests.ingest.small_shop import columns, csv_text, read

ITEMS = "item_id,category,std_category\nthing0,lamp,\nthing1,bed,own\nthing2,new,\nthing3,,\n"


def standard(folder: Path, categories: str, items: str = ITEMS) -> dict[str, str | None]:
    files = {"events.csv": csv_text(columns()), "items.csv": items, "categories.csv": categories}
    table = read(folder, files).items
    assert table is not None
    return dict(table.select("item_id", "standard_category").sort("item_id").iter_rows())


def test_an_item_has_the_group_and_standard_category_of_its_leaf_unless_it_names_its_own(
    tmp_path: Path,
) -> None:
    text = "category,std_category,group\nlamp,lighting,home\nbed,furniture,home\n"
    assert standard(tmp_path, text) == {
        "thing0": "home > lighting", "thing1": "own", "thing2": None, "thing3": None
    }  # fmt: skip


def test_groups_are_optional_and_items_need_no_column_of_their_own(tmp_path: Path) -> None:
    items = "item_id,category\nthing0,lamp\nthing1,bed\n"
    text = "Category,standard_category,group\nlamp,lighting,\nbed,furniture,home\n"
    assert standard(tmp_path, text, items) == {"thing0": "lighting", "thing1": "home > furniture"}


def test_a_category_of_two_standard_categories_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"categories\.csv: the category 'lamp' belongs to 'a' and to 'b'"):
        standard(tmp_path, "category,std_category\nlamp,a\nlamp,b\n")


def test_a_file_without_the_columns_is_refused_and_one_that_names_nothing_is_an_alarm(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"has no column 'standard_category'"):
        standard(tmp_path, "category,group\nlamp,a\n")
    files = {
        "events.csv": csv_text(columns()),
        "items.csv": ITEMS,
        "categories.csv": "category,std_category\nchair,furniture\n",
    }
    assert any("no item has a category of this file" in alarm for alarm in read(tmp_path, files).alarms)
