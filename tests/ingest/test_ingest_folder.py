from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.profile import PROFILE_FIELDS, encode_profile
from ingest.ingest_folder import ingest_folder
from ingest.settings import CleaningSettings, IngestSettings
from ingest.shop_tables import IngestError
from snapshot import Dataset, DatasetStore
from snapshot.event_codes import IMPRESSION, PURCHASE
from testing.synthetic_shop import CREATED_AT, synthetic_dataset, write_synthetic_shop


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def dataset(workspace: Path) -> Dataset:
    return synthetic_dataset(workspace, users=80, items=150, events=6_000, seed=3)


def test_the_data_set_is_sealed_and_published(workspace: Path, dataset: Dataset) -> None:
    store = DatasetStore(workspace / "datasets")
    assert store.open_current().manifest == dataset.manifest
    assert dataset.manifest.kind == "dataset"
    assert dataset.manifest.created_at == "2024-06-01T00:00:00.000000+00:00"
    assert [path.name for path in store.root.iterdir() if path.name.startswith(".")] == []


def test_events_are_dense_typed_and_sorted(dataset: Dataset) -> None:
    events = dataset.events().collect()
    assert dict(list(events.schema.items())[:4]) == {
        "user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64,
    }  # fmt: skip
    assert {"scene", "position", "session_id", "quantity", "price"} <= set(events.columns)
    assert events.select("user", "ts").equals(events.select("user", "ts").sort("user", "ts"))
    users = dataset.users()
    assert events["user"].unique().sort().to_list() == list(range(1, events["user"].n_unique() + 1))
    assert users["user"].to_list() == list(range(1, users.height + 1))
    items = events["item"].unique().sort().to_numpy()
    assert items.tolist() == list(range(1, len(items) + 1))
    assert dataset.catalogue.size == 150


def test_every_event_of_the_file_is_in_the_data_set_or_counted(workspace: Path, dataset: Dataset) -> None:
    raw = pl.read_csv(workspace / "shop/events.csv")
    assert raw.height == 6_000
    events = dataset.events().collect()
    assert events.height + sum(dataset.manifest.removed.values()) == raw.height
    names = events.with_columns(
        pl.Series("item_id", dataset.catalogue.item_ids(events["item"].to_numpy())),
        dataset.users()["user_id"].gather(events["user"].cast(pl.UInt32) - 1).alias("user_id"),
        (pl.col("ts")).alias("second"),
    )
    joined = names.join(
        raw.with_columns((pl.col("timestamp") // 1_000).alias("second")),
        on=["user_id", "item_id", "second", "session_id", "position"],
        how="semi",
    )
    assert joined.height == events.height


def test_item_attributes_are_those_of_the_file(workspace: Path, dataset: Dataset) -> None:
    raw = pl.read_csv(workspace / "shop/items.csv")
    catalogue = dataset.catalogue
    items = catalogue.dense(raw["item_id"].to_list())
    assert (items > 0).all()
    assert catalogue.titles(items) == raw["title"].to_list()
    assert catalogue.category_names(catalogue.category[items]) == raw["category"].to_list()
    assert (
        catalogue.names("standard_category", catalogue.standard_category[items])
        == raw["std_category"].to_list()
    )
    assert catalogue.names("brand", catalogue.brand[items]) == raw["brand"].to_list()
    assert catalogue.names("shop", catalogue.shop[items]) == raw["shop"].to_list()
    np.testing.assert_array_equal(catalogue.in_stock[items], raw["in_stock"].to_numpy())
    np.testing.assert_array_equal(catalogue.adult[items], raw["adult"].to_numpy())
    np.testing.assert_allclose(catalogue.price[items], raw["price"].to_numpy(), rtol=1e-6)
    np.testing.assert_array_equal(catalogue.created_at[items], raw["created_at"].to_numpy())
    assert dataset.items()["title"].to_list() == catalogue.titles(np.arange(1, catalogue.size + 1))


def test_profile_codes_in_training_are_those_of_serving(dataset: Dataset) -> None:
    users = dataset.users()
    assert (
        users.select(pl.any_horizontal(pl.col(f"{field}_code") > 0 for field in PROFILE_FIELDS))
        .to_series()
        .any()
    )
    for row in users.iter_rows(named=True):
        profile = {field: row[field] for field in PROFILE_FIELDS if row[field] is not None}
        expected = encode_profile(profile, dataset.catalogue.profile_vocab)
        assert [row[f"{field}_code"] for field in PROFILE_FIELDS] == expected.tolist()


def test_cuts_part_the_events_and_popularity_knows_nothing_later(dataset: Dataset) -> None:
    events, cuts = dataset.events().collect(), dataset.manifest.cuts
    assert (events["ts"] < cuts.valid_from).mean() == pytest.approx(0.90, abs=0.01)
    assert (events["ts"] < cuts.test_from).mean() == pytest.approx(0.95, abs=0.01)
    early = events.filter((pl.col("ts") < cuts.valid_from) & (pl.col("event") != IMPRESSION))
    takers = dict(early.group_by("item").agg(pl.col("user").n_unique()).iter_rows())
    expected = np.log1p([takers.get(item, 0) for item in range(dataset.catalogue.size + 1)])
    np.testing.assert_allclose(dataset.catalogue.popularity, expected, rtol=1e-6)


def test_the_manifest_counts_what_is_there(dataset: Dataset) -> None:
    events, rows = dataset.events().collect(), dataset.manifest.rows
    assert rows["events"] == events.height
    assert rows["events_purchase"] == events.filter(pl.col("event") == PURCHASE).height
    assert rows["users"] == dataset.users().height
    assert rows["items"] == dataset.catalogue.size
    assert rows["items_with_events"] == events["item"].n_unique() < rows["items"]
    assert dataset.manifest.time_range == (events["ts"].min(), events["ts"].max())
    assert dataset.manifest.switched_off == ["venue", "starts_at", "expires_at", "remove_from_cart"]


def test_the_same_files_and_seed_make_the_same_data_set(tmp_path: Path, dataset: Dataset) -> None:
    again = synthetic_dataset(tmp_path, users=80, items=150, events=6_000, seed=3)
    assert again.manifest.files == dataset.manifest.files
    assert again.manifest.id == dataset.manifest.id
    other = synthetic_dataset(tmp_path / "other", users=80, items=150, events=6_000, seed=4)
    assert other.manifest.files["events.parquet"] != dataset.manifest.files["events.parquet"]


def test_missing_files_switch_off_what_needs_them(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "shop", users=20, items=40, events=500, seed=1)
    (tmp_path / "shop/items.csv").unlink()
    (tmp_path / "shop/users.csv").unlink()
    dataset = ingest_folder(tmp_path / "shop", tmp_path, IngestSettings(), 0, created_at=CREATED_AT)
    assert dataset.manifest.switched_off == [
        "category", "standard_category", "brand", "shop", "venue", "title", "in_stock", "adult",
        "created_at", "starts_at", "expires_at", "gender", "age_band", "city", "purchasing_power",
        "remove_from_cart",
    ]  # fmt: skip
    assert dataset.catalogue.category_count == 0
    assert not dataset.catalogue.category.any()
    assert dataset.catalogue.in_stock[1:].all()
    assert (dataset.catalogue.price[1:] > 0).any()
    assert dataset.manifest.rows["items_without_attributes"] == dataset.catalogue.size


def test_items_unknown_to_the_items_file_are_kept_and_counted(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "shop", users=20, items=40, events=500, seed=1)
    items = pl.read_csv(tmp_path / "shop/items.csv")
    seen = pl.read_csv(tmp_path / "shop/events.csv")["item_id"].unique()
    unlisted = seen.sort()[0]
    items.filter(pl.col("item_id") != unlisted).write_csv(tmp_path / "shop/items.csv")
    settings = IngestSettings(keep_items_without_events=False)
    dataset = ingest_folder(tmp_path / "shop", tmp_path, settings, 0, created_at=CREATED_AT)
    (item,) = dataset.catalogue.dense([unlisted])
    assert item > 0
    assert dataset.catalogue.category[item] == 0
    assert dataset.manifest.rows["items_without_attributes"] == 1
    assert dataset.manifest.rows["items"] == dataset.manifest.rows["items_with_events"]


def test_progress_is_told_and_rises_to_one(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "shop", users=20, items=40, events=500, seed=1)
    told: list[tuple[str, float]] = []
    ingest_folder(
        tmp_path / "shop", tmp_path, IngestSettings(), 0, lambda *stage: told.append(stage), CREATED_AT
    )
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert any("repeated carts" in stage for stage, _ in told)


def test_a_failed_ingest_leaves_nothing_behind(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "shop", users=20, items=40, events=500, seed=1)
    bots = CleaningSettings.model_validate({"bot_clickers": {"max_clicks_per_day": 1}})
    only_bots = pl.DataFrame(
        {
            "user_id": ["u"] * 9, "item_id": ["i"] * 9, "event": ["view"] * 9,
            "timestamp": range(1_709_300_000, 1_709_300_009),
        }
    )  # fmt: skip
    only_bots.write_csv(tmp_path / "shop/events.csv")
    with pytest.raises(IngestError, match=r"no event is left of 9 .*removed by bot_clickers 9"):
        ingest_folder(tmp_path / "shop", tmp_path, IngestSettings(cleaning=bots), 0, created_at=CREATED_AT)
    assert not (tmp_path / "datasets").exists()
