"""Importer: RetailRocket's e-commerce data set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from ingest.attributes import item_attributes
from ingest.shop_tables import IngestError, ShopTables
from ingest.table_files import read_table
from ingest.usable_events import keep_usable

_EVENTS = "events.csv"
_PROPERTIES = ("item_properties_part1.csv", "item_properties_part2.csv")
_TREE = "category_tree.csv"
_EVENT_NAMES = {"view": "view", "addtocart": "cart", "transaction": "purchase"}
_COLUMNS = {
    _EVENTS: ("timestamp", "visitorid", "event", "itemid", "transactionid"),
    **dict.fromkeys(_PROPERTIES, ("timestamp", "itemid", "property", "value")),
    _TREE: ("categoryid", "parentid"),
}


def matches(folder: Path) -> bool:
    """Whether the folder holds the four files of the data set."""
    return all((folder / name).is_file() for name in _COLUMNS)


def read(folder: Path, now: datetime) -> ShopTables:
    """Read events, item properties and the category tree.

    Of the properties, which change over time, the latest up to the last event count: `categoryid` becomes
    the category, `available` the stock. The root above the category becomes the standard category.

    Raises:
        IngestError: a column is missing, no row can be used, or the category tree runs in a circle.
        UnreadableFile: a file is broken; named with row and column.
    """
    numbers = dict.fromkeys(("timestamp", "visitorid", "itemid"), pl.Int64)
    raw = _read(folder, _EVENTS, dtypes=numbers)
    events = raw.rename({"visitorid": "user_id", "itemid": "item_id", "timestamp": "ts_ms"})
    events, removed = keep_usable(events, _EVENT_NAMES, int(now.timestamp() * 1_000), _EVENTS)
    latest = _latest_properties(folder, int(events["ts_ms"].max()))  # type: ignore[arg-type]
    items = latest.join(_roots(_read(folder, _TREE)), left_on="category", right_on="categoryid", how="left")
    items, faults = item_attributes(items.sort("item_id"), "item_properties")
    return ShopTables(source=f"RetailRocket ({folder})", events=events, items=items, removed=removed | faults)


def _read(
    folder: Path,
    name: str,
    dtypes: Mapping[str, type[pl.DataType]] | None = None,
    rows: pl.Expr | None = None,
) -> pl.DataFrame:
    try:
        return read_table(folder / name, dtypes=dtypes, rows=rows).select(_COLUMNS[name])
    except pl.exceptions.ColumnNotFoundError as error:
        raise IngestError(
            f"{folder / name}: lacks a column of {', '.join(_COLUMNS[name])} ({error}); "
            "bring the file as it was published"
        ) from error


def _latest_properties(folder: Path, end_ms: int) -> pl.DataFrame:
    """item_id, category, in_stock as str, by the latest values up to `end_ms`."""
    wanted = {"categoryid": "category", "available": "in_stock"}
    # Every item has a category, so the other properties need not be held to know all items.
    properties = pl.concat(
        _read(folder, name, {"timestamp": pl.Int64}, pl.col("property").is_in(list(wanted)))
        for name in _PROPERTIES
    )
    items = properties.select(pl.col("itemid").unique().sort().alias("item_id"))
    known = properties.filter(pl.col("timestamp") <= end_ms).sort("timestamp", maintain_order=True)
    for name, ours in wanted.items():
        values = (
            known.filter(pl.col("property") == name)
            .group_by("itemid")
            .agg(pl.col("value").last().alias(ours))
        )
        items = items.join(values, left_on="item_id", right_on="itemid", how="left")
    return items


def _roots(tree: pl.DataFrame) -> pl.DataFrame:
    """Columns categoryid and standard_category, the root above each category, both str."""
    parents = tree.select("categoryid", "parentid").unique("categoryid", keep="last")
    roots = parents.select("categoryid", pl.coalesce("parentid", "categoryid").alias("standard_category"))
    # Doubling the distance each time reaches every root in log2(depth) joins.
    for _ in range(parents.height.bit_length() + 1):
        above = roots.join(
            roots.rename({"standard_category": "above"}),
            left_on="standard_category",
            right_on="categoryid",
            how="left",
        ).select("categoryid", pl.coalesce("above", "standard_category").alias("standard_category"))
        if above.sort("categoryid").equals(roots.sort("categoryid")):
            return roots
        roots = above
    raise IngestError(f"{_TREE}: some categories are their own ancestors; correct their parentid")
