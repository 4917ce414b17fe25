"""The folder made of a catalogue of pictures can be ingested, with its titles and its pictures."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from benchmarks.myntra_folder import catalogue_of, write_folder
from benchmarks.public_data import SHARED
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from snapshot.dataset import ITEMS_WITH_PICTURES
from testing.picture_shop import draw, jpeg

MYNTRA = SHARED / "myntra_fashion"


def check(table: pl.DataFrame, folder: Path, items: int) -> None:
    assert write_folder(table, folder / "shop", items, shoppers=8, events=300, seed=1) == items
    dataset = ingest_folder(folder / "shop", folder / "workspace", IngestSettings(), 1)
    assert dataset.catalogue.size == items
    assert dataset.manifest.rows[ITEMS_WITH_PICTURES] == items
    titles = dict(table.select(pl.col("id").cast(str), "title").iter_rows())
    named = dataset.items().select("item_id", "image").rows()
    assert {(folder / "shop" / image).is_file() for _, image in named} == {True}
    assert {row["title"] for row in pl.read_csv(folder / "shop" / "items.csv").to_dicts()} == {
        titles[item_id] for item_id, _ in named
    }


def test_a_download_with_commas_in_titles_and_lost_pictures_becomes_a_shop(tmp_path: Path) -> None:
    rows = [
        f"{number},Men,Apparel,Topwear,{kind},Blue,Fall,2012.0,Casual,Shirt {number}"
        for number, kind in enumerate(("Shirts", "Tshirts") * 20, start=1)
    ]
    rows[3] += ", long sleeves"
    columns = (
        "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"
    )
    (tmp_path / "styles.csv").write_text("\n".join([columns, *rows]))
    (tmp_path / "images").mkdir()
    for number in range(1, 38):
        (tmp_path / "images" / f"{number}.jpg").write_bytes(jpeg(draw(number, 3)))
    table = catalogue_of(tmp_path)
    assert table.height == 37
    check(table, tmp_path, 37)


@pytest.mark.skipif(not MYNTRA.is_dir(), reason="no shared/data/myntra_fashion beside the checkout")
def test_the_shared_catalogue_becomes_a_shop(tmp_path: Path) -> None:
    check(catalogue_of(MYNTRA), tmp_path, 40)


def test_a_folder_that_is_no_catalogue_is_named(tmp_path: Path) -> None:
    (tmp_path / "styles.csv").write_text("id")
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} has neither"):
        catalogue_of(tmp_path)
