"""Writes a shop's folder from Myntra's catalogue, for `make run DATA=`.

    python -m benchmarks.myntra_folder FOLDER [--items 1500] [--styles CATALOGUE]

FOLDER is created. The catalogue is that of `shared/data/myntra_fashion` beside the checkout, or of another
folder: one with `items.parquet` and `images.parquet` as there, or a download as Kaggle offers it ("Fashion
Product Images"), with `styles.csv` and `images/<id>.jpg`. Titles, categories and pictures are the
catalogue's. It has no log, so events are made up: shoppers who prefer a few article types, and look at items
of these. What channels of behaviour recall from them means nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.public_data import SHARED

_START, _DAY_S = 1_735_689_600, 86_400
_EVENTS = ("impression", "view", "favorite", "cart", "purchase")
_SHARES = (0.3, 0.45, 0.05, 0.1, 0.1)


def catalogue_of_parquet(source: Path) -> pl.DataFrame:
    """Items with a picture: id, title, articleType, subCategory, baseColour, jpeg (bytes)."""
    return pl.read_parquet(source / "items.parquet").join(pl.read_parquet(source / "images.parquet"), on="id")


def catalogue_of(source: Path) -> pl.DataFrame:
    """As `catalogue_of_parquet`, of a folder of either form. Raises FileNotFoundError where it is of none."""
    if (source / "items.parquet").is_file() and (source / "images.parquet").is_file():
        return catalogue_of_parquet(source)
    if (source / "styles.csv").is_file() and (source / "images").is_dir():
        return catalogue_of_styles(source)
    raise FileNotFoundError(
        f"{source} has neither items.parquet and images.parquet nor styles.csv and images/"
    )


def catalogue_of_styles(source: Path) -> pl.DataFrame:
    """As `catalogue_of_parquet`, of a folder with styles.csv and images/; titles may contain commas there."""
    table = pl.read_csv(source / "styles.csv", infer_schema=False, truncate_ragged_lines=True)
    table = table.rename({"productDisplayName": "title"})
    names = {path.stem: path for path in (source / "images").glob("*.jpg")}
    table = table.filter(pl.col("id").is_in(list(names)))
    return table.with_columns(
        jpeg=pl.Series([names[id].read_bytes() for id in table["id"].to_list()], dtype=pl.Binary)
    )


def write_folder(table: pl.DataFrame, folder: Path, items: int, shoppers: int, events: int, seed: int) -> int:
    """Writes events.csv, items.csv and images/ into `folder`, which is created; returns the number of items.

    Items are drawn among those of the catalogue `table`, and keep their order.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(table.height, min(items, table.height), replace=False))
    table = table[chosen]
    (folder / "images").mkdir(parents=True)
    for id, content in table.select("id", "jpeg").iter_rows():
        (folder / "images" / f"{id}.jpg").write_bytes(content)
    table.select(
        item_id=pl.col("id"),
        title=pl.col("title"),
        category=pl.col("articleType"),
        standard_category=pl.col("subCategory"),
        colour=pl.col("baseColour"),
        image=pl.format("images/{}.jpg", pl.col("id")),
    ).write_csv(folder / "items.csv")
    _events(table, shoppers, events, random).write_csv(folder / "events.csv")
    return table.height


def _events(table: pl.DataFrame, shoppers: int, count: int, random: np.random.Generator) -> pl.DataFrame:
    kinds = np.unique(table["articleType"].to_numpy(), return_inverse=True)[1]
    taste = random.gamma(0.15, size=(shoppers, kinds.max() + 1)) + 1e-4
    popular = random.gamma(0.6, size=table.height) + 1e-3
    who = np.sort(random.integers(shoppers, size=count))
    rows = np.empty(count, np.int64)
    for shopper in range(shoppers):
        own = np.flatnonzero(who == shopper)
        weight = taste[shopper, kinds] * popular
        rows[own] = random.choice(table.height, len(own), p=weight / weight.sum())
    times = _START + random.integers(0, 90 * _DAY_S, count)
    return pl.DataFrame(
        {
            "user_id": [f"shopper{shopper}" for shopper in who],
            "item_id": table["id"].gather(rows),
            "event": random.choice(_EVENTS, count, p=_SHARES),
            "timestamp": times,
        }
    ).sort("timestamp")


def main() -> None:
    """Writes the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--styles", type=Path, default=SHARED / "myntra_fashion", help="folder with the catalogue"
    )
    parser.add_argument("--items", type=int, default=1500)
    parser.add_argument("--shoppers", type=int, default=400)
    parser.add_argument("--events", type=int, default=20_000)
    given = parser.parse_args()
    if given.folder.exists():
        parser.error(f"{given.folder} exists")
    try:
        table = catalogue_of(given.styles)
    except FileNotFoundError as error:
        parser.error(str(error))
    written = write_folder(table, given.folder, given.items, given.shoppers, given.events, seed=1)
    print(f"{written:,} items with pictures in {given.folder}")


if __name__ == "__main__":
    main()
