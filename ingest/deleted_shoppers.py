"""Leaves out of a shop's tables what the shoppers did who were deleted since the files were written."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ingest.shop_tables import IngestError, ShopTables
from snapshot.tombstones import Tombstones

_EVENTS, _PROFILES = "events of shoppers who were deleted", "profiles of shoppers who were deleted"


def without_deleted(tables: ShopTables, tombstones: Tombstones) -> ShopTables:
    """The tables without events of before each shopper's deletion, and without the shopper's profile.

    What is left out is counted under `removed`.

    Raises:
        IngestError: no event is left.
    """
    if not len(tombstones):
        return tables
    ids = tables.events.select(pl.col("user_id").unique())
    erased = _erased(ids["user_id"], tombstones)
    events, users = tables.events, tables.users
    removed = {}
    if erased.height:
        events = (
            tables.events.join(erased, on="user_id", how="left", maintain_order="left")
            .filter(pl.col("erased_ms").is_null() | (pl.col("ts_ms") > pl.col("erased_ms")))
            .drop("erased_ms")
        )
        removed[_EVENTS] = tables.events.height - events.height
    if users is not None:
        of_deleted = _erased(users["user_id"], tombstones)
        users = users.join(of_deleted, on="user_id", how="anti", maintain_order="left")
        removed[_PROFILES] = of_deleted.height
    if events.is_empty():
        raise IngestError(f"{tables.source}: no event is left: all shoppers of the files were deleted")
    counted = {reason: count for reason, count in removed.items() if count}
    return replace(tables, events=events, users=users, removed={**tables.removed, **counted})


def _erased(user_ids: pl.Series, tombstones: Tombstones) -> pl.DataFrame:
    """user_id and erased_ms of those who were deleted."""
    erased_ms = tombstones.of_each(user_ids.cast(pl.String).to_list())
    return pl.DataFrame({"user_id": user_ids, "erased_ms": erased_ms}).filter(pl.col("erased_ms") >= 0)
