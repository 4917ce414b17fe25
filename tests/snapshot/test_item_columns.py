"""The list of item columns, and what follows from it: catalogue files, display, the manual."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from docs.item_columns_table import MANUAL, with_item_columns
from registration.registry import RegistrationError
from snapshot import Catalogue, SnapshotError, write_catalogue
from snapshot.item_columns import ITEM_COLUMNS, VALUE_DTYPES, ItemColumn
from tests.snapshot.contents import columns
from tests.snapshot.plugin_columns import registered

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
MATERIAL = ItemColumn.group("What the item is made of.", shown=True)
WEIGHT = ItemColumn.value("Weight with packaging.", unit="kg", shown=True)


@st.composite
def any_columns(draw: st.DrawFn) -> dict[str, ItemColumn]:
    kinds = st.sampled_from(
        [
            ItemColumn.group("A group."),
            ItemColumn.flag("A flag.", default=False),
            ItemColumn.time("A time."),
            ItemColumn.text("A text."),
            ItemColumn.band("price", "A band."),
            *(ItemColumn.value("A value.", dtype=dtype.type, default=-1) for dtype in VALUE_DTYPES),
        ]
    )
    names = st.from_regex(r"shop_[a-z0-9]{1,6}", fullmatch=True)
    return draw(st.dictionaries(names, kinds, max_size=5))


def values_of(draw: st.DrawFn, column: ItemColumn, rows: int, names: int) -> Any:
    if column.kind == "text":
        return draw(st.lists(WORDS, min_size=rows, max_size=rows))
    elements = st.integers(0, names) if column.kind == "group" else None
    return draw(arrays.arrays(column.dtype, rows, elements=elements))


@pytest.mark.slow
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_catalogue_gives_back_whatever_columns_are_registered(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("catalogue") / "catalogue"
    size = data.draw(st.integers(0, 6))
    with registered(**data.draw(any_columns())):
        names = {
            name: data.draw(st.lists(WORDS, unique=True, max_size=4))
            for name, column in ITEM_COLUMNS.items()
            if column.kind == "group"
        }
        given_columns = {
            name: values_of(data.draw, column, size + 1, len(names.get(name, ())))
            for name, column in ITEM_COLUMNS.items()
        }
        write_catalogue(folder, [f"i{n}" for n in range(size)], given_columns, names, {})
        catalogue = Catalogue.open(folder)
        items = np.arange(size + 1)
        for name, column in ITEM_COLUMNS.items():
            if column.kind == "text":
                assert catalogue.texts(name, items) == given_columns[name]
                assert catalogue.display(name, items) == given_columns[name]
                continue
            found = catalogue.column(name)
            assert found.dtype == column.dtype
            np.testing.assert_array_equal(found, given_columns[name])
            assert len(catalogue.display(name, items)) == size + 1
            if column.kind == "group":
                assert catalogue.code_count(name) == len(names[name])
                assert catalogue.names(name, found) == [["", *names[name]][code] for code in found]


def test_a_folder_without_a_column_that_a_plug_in_registers_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    write_catalogue(folder, ["a"], columns(1), {}, {})
    for column in (MATERIAL, ItemColumn.text("Care.")):
        with (
            registered(material=column),
            pytest.raises(SnapshotError, match="without the item column material that shop_plugin registers"),
        ):
            Catalogue.open(folder)
    assert Catalogue.open(folder).size == 1


def test_a_folder_with_a_column_that_is_not_registered_any_more_is_opened_without_it(tmp_path: Path) -> None:
    with registered(material=MATERIAL):
        write_catalogue(tmp_path / "c", ["a"], columns(1), {}, {})
    catalogue = Catalogue.open(tmp_path / "c")
    with pytest.raises(KeyError, match="no item column material with a value per item; there are category"):
        catalogue.column("material")


def test_shown_columns_are_displayed_in_words_and_unknown_ones_are_empty(tmp_path: Path) -> None:
    with registered(
        material=MATERIAL,
        weight=WEIGHT,
        stars=ItemColumn.value("Stars.", dtype=np.int32, default=-1, shown=True),
        fragile=ItemColumn.flag("Whether it breaks.", default=False, shown=True),
        since=ItemColumn.time("Since when.", shown=True),
        care=ItemColumn.text("How to care for it."),
    ):
        given_columns = columns(2) | {
            "material": np.array([0, 1, 0], np.int32),
            "weight": np.array([np.nan, 0.1, np.nan], np.float32),
            "stars": np.array([-1, 0, -1], np.int32),
            "fragile": np.array([False, True, False]),
            "since": np.array([0, 1_700_000_000, 0], np.int64),
            "care": ["", "Wash cold.", ""],
        }
        write_catalogue(tmp_path / "c", ["a", "b"], given_columns, {"material": ["oak"]}, {})
        catalogue = Catalogue.open(tmp_path / "c")
    assert catalogue.shown == ("material", "weight", "stars", "fragile", "since")
    items = np.array([1, 2])
    assert {name: catalogue.display(name, items) for name in catalogue.shown} == {
        "material": ["oak", ""],
        "weight": ["0.1", ""],
        "stars": ["0", ""],
        "fragile": ["true", "false"],
        "since": ["1700000000", ""],
    }


def test_no_built_in_column_is_shown_beside_title_and_category() -> None:
    assert not any(column.shown for column in ITEM_COLUMNS.values())


@pytest.mark.parametrize(
    ("name", "column", "fault"),
    [
        ("category", MATERIAL, "two item columns are named category"),
        (
            "Material",
            MATERIAL,
            "the item column 'Material' of shop_plugin must be named by a lower-case letter",
        ),
        ("../material", MATERIAL, "must be named by a lower-case letter"),
        ("keys", MATERIAL, "has a name that the catalogue uses for its own files"),
        ("brand_name", ItemColumn.text("."), "has a name that the catalogue uses for its own files"),
        ("weight_band", ItemColumn.band("weight", "."), "divides the column weight, which is no value"),
        ("title_band", ItemColumn.band("title", "."), "divides the column title, which is no value"),
        ("weight", ItemColumn.value(".", dtype=np.float16), "is a value of type float16; use one of float32"),
        ("stars", ItemColumn.value(".", dtype=np.int32), "with the default nan; give an integer"),
    ],
)
def test_a_column_that_cannot_be_is_refused_with_what_to_do(
    name: str, column: ItemColumn, fault: str
) -> None:
    with pytest.raises(RegistrationError, match=fault), registered(**{name: column}):
        pass


def test_the_manual_lists_every_column_as_it_is() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    assert with_item_columns(text) == text, "run make docs"


def test_a_column_that_is_registered_later_is_written_into_the_manual() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    with registered(material=MATERIAL):
        written = with_item_columns(text)
    assert "| `material` | group | int32 | – | 0 | What the item is made of. |\n" in written
    assert "`expires_at`, `material` |\n" in written
    assert with_item_columns(written) == text
