"""A shop's own item columns, from its items file to the catalogue."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ingest.attributes import item_attributes
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from snapshot import DatasetStore, SnapshotError
from snapshot.item_columns import ItemColumn
from testing.synthetic_shop import CREATED_AT, write_synthetic_shop
from tests.snapshot.plugin_columns import registered

COLUMNS = {
    "material": ItemColumn.group("What the item is made of."),
    "weight": ItemColumn.value("Weight with packaging.", unit="kg", minimum=0, shown=True),
    "weight_band": ItemColumn.band("weight", "Band of the weight."),
    "stars": ItemColumn.value("Stars.", dtype=np.int32, default=-1),
    "fragile": ItemColumn.flag("Whether it breaks.", default=False),
    "since": ItemColumn.time("Since when."),
    "care": ItemColumn.text("How to care for it."),
}


def shop_with_columns(folder: Path) -> pl.DataFrame:
    """Writes a shop whose items file has the columns above; returns what it says of the items, in words."""
    write_synthetic_shop(folder, users=20, items=40, events=500, seed=1)
    items = pl.read_csv(folder / "items.csv", infer_schema=False)
    items = items.with_columns(
        pl.Series("material", ["oak", "pine", "", "oak"] * 10),
        pl.Series("weight", ["0.5", "-3", "", "heavy"] * 10),
        pl.Series("stars", ["5", "4.0", "4.5", ""] * 10),
        pl.Series("fragile", ["yes", "no", "", "perhaps"] * 10),
        pl.Series("since", ["2024-01-01", "2024-01-01T00:00", "", "once"] * 10),
        pl.Series("care", ["Wash cold.", "", "Oil.", "Dust."] * 10),
    )
    items.write_csv(folder / "items.csv")
    return items


def test_a_registered_column_is_read_coded_counted_and_kept(tmp_path: Path) -> None:
    raw = shop_with_columns(tmp_path / "shop")
    with registered(**COLUMNS):
        dataset = ingest_folder(tmp_path / "shop", tmp_path, IngestSettings(), 0, created_at=CREATED_AT)
        catalogue = DatasetStore(tmp_path / "datasets").open_current().catalogue
    items = catalogue.dense(raw["item_id"].to_list())
    assert catalogue.names("material", catalogue.column("material")[items]) == raw["material"].to_list()
    weight = catalogue.column("weight")
    np.testing.assert_array_equal(weight[items], np.array([0.5, np.nan, np.nan, np.nan] * 10, np.float32))
    assert np.isnan(weight[0])
    assert set(catalogue.column("weight_band")[items[::4]].tolist()) == {1}
    assert not catalogue.column("weight_band")[items[1::4]].any()
    assert catalogue.column("stars")[items].tolist() == [5, 4, -1, -1] * 10
    assert catalogue.column("fragile")[items].tolist() == [True, False, False, False] * 10
    assert catalogue.column("since")[items].tolist() == [1_704_067_200, 1_704_067_200, 0, 0] * 10
    assert catalogue.texts("care", items) == raw["care"].to_list()
    unreadable = {reason: n for reason, n in dataset.manifest.removed.items() if "cannot be read" in reason}
    assert unreadable == {
        "items.csv: weight cannot be read (counts as unknown)": 20,
        "items.csv: stars cannot be read (counts as unknown)": 10,
        "items.csv: fragile cannot be read (counts as unknown)": 10,
        "items.csv: since cannot be read (counts as unknown)": 10,
    }


def test_a_registered_column_that_the_shop_lacks_is_unknown_and_switched_off(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "shop", users=20, items=40, events=500, seed=1)
    with registered(**COLUMNS):
        dataset = ingest_folder(tmp_path / "shop", tmp_path, IngestSettings(), 0, created_at=CREATED_AT)
    off = dataset.manifest.switched_off
    columns = [name for name in off if name in COLUMNS]
    assert columns == ["material", "weight", "stars", "fragile", "since", "care"]
    assert dataset.catalogue.code_count("material") == 0
    assert np.isnan(dataset.catalogue.column("weight")).all()
    assert (dataset.catalogue.column("stars") == -1).all()


def test_a_data_set_built_before_the_column_was_registered_is_refused(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "shop", users=20, items=40, events=500, seed=1)
    ingest_folder(tmp_path / "shop", tmp_path, IngestSettings(), 0, created_at=CREATED_AT)
    with (
        registered(**COLUMNS),
        pytest.raises(SnapshotError, match=r"item column material .*build the folder"),
    ):
        DatasetStore(tmp_path / "datasets").open_current()


@pytest.mark.parametrize(
    ("dtype", "given", "expected"),
    [
        (np.float32, ["1.5", "inf", "1e39", "nan", ""], [1.5, None, None, None, None]),
        (np.float64, ["1e39"], [1e39]),
        (np.float32, [1, 2, None], [1.0, 2.0, None]),
        (np.int32, ["7", "7.0", "7.5", "3000000000", "x"], [7, 7, None, None, None]),
        (np.int32, [7.0, 7.5, float("nan"), -1.0], [7, None, None, None]),
        (np.int64, ["9007199254740993", "-2"], [9007199254740993, None]),
    ],
)
def test_a_number_is_read_where_the_type_can_contain_it(
    dtype: type[np.generic], given: list[object], expected: list[object]
) -> None:
    column = ItemColumn.value("A number.", dtype=dtype, default=0, minimum=0)
    table = pl.DataFrame({"item_id": [f"i{n}" for n in range(len(given))], "number": given})
    with registered(number=column):
        read, _ = item_attributes(table, "items.csv")
    assert read["number"].to_list() == expected
