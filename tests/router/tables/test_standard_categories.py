"""Standard categories: what the shop names comes first, else who takes from what decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recall.channel import BuildSource
from recall.purchase_cycles import PurchaseCycleTableSettings
from recall.purchase_cycles_build import learn_cycles
from recall.standard_categories import (
    StandardCategories,
    build,
    open_table,
)
from recall.standard_categories_build import two_levels
from recall.standard_category_settings import StandardCategorySettings
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, read_scenes
from router.tables.files import build_tables, open_tables
from router.tables.purchase_cycles import PURCHASE_CYCLES
from snapshot import Catalogue, write_catalogue
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import DAY, NOW, make_source
from tests.snapshot.contents import columns as empty_columns

VIEW, PURCHASE = 2, 5


def catalogue_of(folder: Path, leaves: Sequence[str], standard: Sequence[str] = ()) -> Catalogue:
    """One item per leaf name given, "" = none; standard category names alike."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = empty_columns(len(leaves))
    names = {}
    for column, values in (("category", leaves), ("standard_category", standard)):
        names[column] = sorted({value for value in values if value})
        codes = [names[column].index(value) + 1 if value else 0 for value in values]
        columns[column][1 : len(codes) + 1] = codes
    write_catalogue(folder / "catalogue", [f"i{i}" for i in range(len(leaves))], columns, names, {})
    return Catalogue.open(folder / "catalogue")


def named(source: BuildSource, **settings: int) -> tuple[list[str], list[str]]:
    """The names of both levels, item by item."""
    levels = two_levels(source, StandardCategorySettings(**settings))
    return tuple([["", *names][code] for code in codes[1:]] for codes, names in levels)  # type: ignore[return-value]


def test_two_levels_that_the_shop_names_are_taken_and_items_without_follow_their_leaf(tmp_path: Path) -> None:
    standard = ["home > lamps", "home>lamps", "", "home > beds", "", ""]
    source = make_source(catalogue_of(tmp_path, ["l1", "l2", "l1", "b", "new", ""], standard), [])
    fine, coarse = named(source)
    assert fine == ["home > lamps"] * 3 + ["home > beds", "", ""]
    assert coarse == ["home"] * 4 + ["", ""]


def test_one_level_stands_above_the_leaves_and_a_path_gives_its_upper_levels(tmp_path: Path) -> None:
    one = catalogue_of(tmp_path / "one", ["apples", "pears", "milk"], ["fruit", "fruit", "dairy"])
    assert named(make_source(one, [])) == (["apples", "pears", "milk"], ["fruit", "fruit", "dairy"])
    paths = catalogue_of(tmp_path / "paths", ["food > fruit > apples", "food > fruit > pears", "toys"])
    assert named(make_source(paths, [])) == (
        ["food > fruit", "food > fruit", "toys"],
        ["food", "food", "toys"],
    )


def test_flat_categories_are_put_together_by_who_takes_from_them(tmp_path: Path) -> None:
    """Two crowds that take from six categories each; the log alone shows which belong together."""
    random = np.random.default_rng(5)
    catalogue = catalogue_of(tmp_path, [f"c{i:02d}" for i in range(12)])
    events = [
        (user, 1 + int(random.integers(6)) * 2 + user % 2, VIEW, NOW - DAY)
        for user in range(1, 200)
        for _ in range(6)
    ]
    source = make_source(catalogue, events)
    fine, coarse = named(source, fine_count=12, coarse_count=2)
    assert len(set(fine)) == 12
    assert coarse == [coarse[0], coarse[1]] * 6
    assert coarse[0] != coarse[1]
    assert named(source, fine_count=12, coarse_count=2)[1] == coarse
    few, above = named(source, fine_count=4, coarse_count=2)
    assert len(set(few)) <= 4
    # A coarse category is a union of fine ones.
    assert len(set(zip(few, above, strict=True))) == len(set(few))


def test_a_shop_without_categories_or_events_has_a_table_of_none(tmp_path: Path) -> None:
    bare = make_source(catalogue_of(tmp_path / "bare", ["", ""]), [])
    assert named(bare) == (["", ""], ["", ""])
    silent = make_source(catalogue_of(tmp_path / "silent", [f"c{i}" for i in range(9)]), [])
    assert all(named(silent, fine_count=3, coarse_count=2)[1])


def test_the_table_survives_its_files_and_refuses_another_catalogue(tmp_path: Path) -> None:
    source = make_source(catalogue_of(tmp_path, ["a", "b"], ["x", "y"]), [])
    folder = tmp_path / "table"
    folder.mkdir()
    assert build(source, folder, StandardCategorySettings()) == {"fine": 2, "coarse": 2}
    table = open_table(folder, source.catalogue)
    assert table.coarse_names.take(table.coarse[1:]) == ["x", "y"]
    assert table.parents().tolist() == [0, 1, 2]
    with pytest.raises(SnapshotError):
        open_table(folder, catalogue_of(tmp_path / "other", ["a", "b", "c"]))
    with pytest.raises(KeyError):
        table.level("middle")


def test_cycles_are_learned_per_category_and_per_item(tmp_path: Path) -> None:
    """Milk is bought again every week, the same milk by half of its buyers; a bed never is."""
    catalogue = catalogue_of(tmp_path, ["milk", "milk", "bed"], ["food", "food", "home"])
    events = [
        (user, 1 + (week * user) % 2, PURCHASE, NOW - week * 7 * DAY)
        for user in range(1, 60)
        for week in range(8)
    ]
    events += [(user, 3, PURCHASE, NOW - (user % 50) * DAY) for user in range(1, 60)]
    source = make_source(catalogue, events)
    folder = tmp_path / "tables"
    kinds = tables_of_scene()
    settings = {name: kind.settings() for name, kind in kinds.items()}
    build_tables(kinds, source, folder, settings)
    tables = open_tables(kinds, folder, catalogue, settings)
    categories: StandardCategories = tables["standard_categories"]
    cycles = tables["purchase_cycles"]
    ages, items = np.array([1.0, 1.0]), np.array([1, 3], np.int32)
    milk, bed = cycles.chance(items, categories.fine[items], ages, 30.0)
    assert milk > 0.5
    assert bed < 0.1
    again = learn_cycles(source, categories, PurchaseCycleTableSettings())
    np.testing.assert_array_equal(again.ratio, cycles.ratio)
    np.testing.assert_array_equal(again.usual["fine"], cycles.usual["fine"])
    # What happens after the source's time is unknown to it.
    early = learn_cycles(replace(source, now=NOW - 60 * DAY), categories, PurchaseCycleTableSettings())
    assert not early.same_item.any()


def test_a_category_that_few_buy_again_is_blocked_only_where_others_buy_of_it_more(tmp_path: Path) -> None:
    """Shoppers buy once in four months: soap mostly of one of ten brands, and each a bed, once."""
    rng = np.random.default_rng(5)
    leaves = [f"soap {brand}" for brand in range(10)] + ["bed"]
    catalogue = catalogue_of(tmp_path, leaves, leaves)
    events = []
    for user in range(1, 400):
        days = NOW - np.sort(rng.integers(0, 720, 6)) * DAY
        favourite = int(rng.integers(10))
        events += [
            (user, 1 + (favourite if rng.random() < 0.5 else int(rng.integers(10))), PURCHASE, int(ts))
            for ts in days[1:]
        ]
        events.append((user, 11, PURCHASE, int(days[0])))
    source = make_source(catalogue, events)
    folder, kinds = tmp_path / "tables", tables_of_scene()
    settings = {name: kind.settings() for name, kind in kinds.items()}
    build_tables(kinds, source, folder, settings)
    tables = open_tables(kinds, folder, catalogue, settings)
    cycles, fine = tables["purchase_cycles"], tables["standard_categories"].fine
    days = cycles.blocked_days("fine", 0.1, 30.0)
    # Fewer than a tenth are back within two weeks, but far more than of those who bought another brand.
    assert (days[fine[1:11]] < 1).all()
    assert days[fine[11]] > 300
    for level in ("fine", "coarse"):
        (folder / PURCHASE_CYCLES.name / f"usual_{level}.npy").unlink()
    before = open_tables(kinds, folder, catalogue, settings)["purchase_cycles"]
    assert (before.blocked_days("fine", 0.1, 30.0)[fine[1:11]] > 14).all()


def tables_of_scene() -> dict:
    scenes = read_scenes(
        b"scenes: {home: {channels: {hot: {}}, filters: {purchase_cycle: {}}}}", "s.yaml", KnownNames(["hot"])
    )
    kinds = tables_of(scenes.by_name.values())
    assert list(kinds) == ["standard_categories", PURCHASE_CYCLES.name]
    return kinds
