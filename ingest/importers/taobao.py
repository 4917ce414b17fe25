"""Importer: Alibaba Tianchi's UserBehavior, one headerless CSV of 100 million events."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from ingest.attributes import item_attributes
from ingest.shop_tables import ShopTables
from ingest.table_files import read_table
from ingest.usable_events import keep_usable

_FILE = "UserBehavior.csv"
_HEADER = ("user_id", "item_id", "category", "event", "timestamp")
_EVENT_NAMES = {"pv": "view", "fav": "favorite", "cart": "cart", "buy": "purchase"}

# The data set is published as 2017-11-25 to 2017-12-03 in China (UTC+8); a few rows lie years outside.
_FIRST_MS = 1_511_539_200_000
_END_MS = 1_512_316_800_000


def matches(folder: Path) -> bool:
    """Whether the folder holds UserBehavior.csv."""
    return (folder / _FILE).is_file()


def read(folder: Path, now: datetime) -> ShopTables:
    """Read UserBehavior.csv: user, item, category, behaviour (pv, fav, cart, buy), unix seconds.

    Rows outside the published nine days are left out and counted. An item's category is its latest.

    Raises:
        IngestError: no row can be used.
        UnreadableFile: the file is broken; named with row and column.
    """
    numbers = dict.fromkeys(("user_id", "item_id", "category", "timestamp"), pl.Int64)
    table = read_table(folder / _FILE, header=_HEADER, dtypes=numbers)
    events = table.with_columns((pl.col("timestamp") * 1_000).alias("ts_ms")).drop("timestamp")
    events, removed = keep_usable(events, _EVENT_NAMES, int(now.timestamp() * 1_000), _FILE)
    published = events.filter(pl.col("ts_ms").is_between(_FIRST_MS, _END_MS, closed="left"))
    if published.height < events.height:
        removed[f"{_FILE}: outside the published period"] = events.height - published.height
    categories = published.group_by("item_id").agg(pl.col("category").sort_by("ts_ms").last()).sort("item_id")
    items, faults = item_attributes(categories, _FILE)
    return ShopTables(
        source=f"Taobao UserBehavior ({folder / _FILE})",
        events=published.drop("category"),
        items=items,
        removed=removed | faults,
    )
