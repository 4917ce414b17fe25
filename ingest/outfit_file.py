"""The sets of items that a shop brings: outfits.csv, .parquet or another kind of table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.shop_tables import IngestError
from ingest.table_files import TABLE_SUFFIXES, read_table
from snapshot.catalogue import Catalogue

_STEM, _COLUMNS = "outfits", ("set_id", "item_id")


@dataclass(frozen=True)
class OutfitRows:
    """Distinct (set, item) pairs as columns of equal length, sorted by set.

    Attributes:
        number: int32[m], 0…S − 1.
        item: int32[m], 1…N.
        unknown: rows whose items the catalogue lacks.
    """

    number: NDArray[np.int32]
    item: NDArray[np.int32]
    unknown: int


def read_outfits(data: Path | None, catalogue: Catalogue) -> OutfitRows | None:
    """The sets of a shop's folder: a file `outfits` with the columns `set_id` and `item_id`.

    None where there is none. Raises IngestError where the file cannot be read or lacks a column.
    """
    if data is None or not data.is_dir():
        return None
    files = [path for path in sorted(data.iterdir()) if path.name.lower().startswith(f"{_STEM}.")]
    readable = [path for path in files if path.name.lower()[len(_STEM) :] in TABLE_SUFFIXES]
    if not readable:
        return None
    table = read_table(readable[0])
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise IngestError(f"{readable[0]} has no column {' and no column '.join(missing)}")
    named = table.select(pl.col(name).cast(pl.String) for name in _COLUMNS).drop_nulls()
    items = catalogue.dense(named["item_id"].to_list())
    known = named.with_columns(item=pl.Series(items)).filter(pl.col("item") > 0)
    pairs = known.select("set_id", "item").unique().sort("set_id", "item")
    _, number = np.unique(pairs["set_id"].to_numpy(), return_inverse=True)
    return OutfitRows(
        number.astype(np.int32), pairs["item"].to_numpy().astype(np.int32), int((items == 0).sum())
    )
