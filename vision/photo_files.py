"""Photos of items that shoppers took, by which the space of pictures is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ingest.table_files import TABLE_SUFFIXES, read_table
from snapshot.catalogue import Catalogue
from snapshot.dataset import IMAGE_COLUMN

_STEM = "photos"


@dataclass(frozen=True)
class PhotoTable:
    """Photos of known items.

    Attributes:
        photos: item int32 (1…N), `image` as in the items file.
        unknown: photos of items that the catalogue does not have.
    """

    photos: pl.DataFrame
    unknown: int


def read_photos(data: Path | None, catalogue: Catalogue) -> PhotoTable | None:
    """The photos of a shop's folder: photos.csv or .parquet with the columns `item_id` and `image`.

    None where it has none. Raises ValueError where the file lacks a column, IngestError where it cannot be
    read.
    """
    if data is None or not data.is_dir():
        return None
    files = [path for path in sorted(data.iterdir()) if path.name.lower().startswith(f"{_STEM}.")]
    readable = [path for path in files if path.name.lower()[len(_STEM) :] in TABLE_SUFFIXES]
    if not readable:
        return None
    table = read_table(readable[0])
    missing = [name for name in ("item_id", IMAGE_COLUMN) if name not in table.columns]
    if missing:
        raise ValueError(f"{readable[0]} has no column {' and no column '.join(missing)}")
    items = catalogue.dense([str(id) for id in table["item_id"].cast(pl.String).fill_null("").to_list()])
    numbered = table.select(pl.Series("item", items), IMAGE_COLUMN)
    known = numbered.filter((pl.col("item") > 0) & pl.col(IMAGE_COLUMN).is_not_null())
    return PhotoTable(known, int((items == 0).sum()))
