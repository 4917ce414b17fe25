"""Catalogue columns from a shop's items and events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ingest.bands import decile_bands
from ingest.dense_ids import DenseIds
from snapshot.catalogue import NAME_COLUMNS
from snapshot.event_codes import IMPRESSION


@dataclass(frozen=True)
class CatalogueContent:
    """What `snapshot.write_catalogue` takes: columns of length N + 1, names per coded column, titles."""

    columns: dict[str, np.ndarray]
    names: dict[str, list[str]]
    titles: list[str]


def catalogue_content(
    ids: DenseIds, items: pl.DataFrame | None, events: pl.DataFrame, valid_from: int
) -> CatalogueContent:
    """Lay a shop's items out as catalogue columns.

    Prices that the items table lacks are taken from events: the median before `valid_from`, or the earliest
    price of an item first sold later.

    Args:
        ids: all N items.
        items: attributes by item_id (unique), or None.
        events: user, item int32, event uint8, ts int64, optional price float64.
        valid_from: unix seconds; popularity counts only what came before.
    """
    table = pl.DataFrame({"item_id": ids.ids})
    if items is not None:
        table = table.join(items, on="item_id", how="left", maintain_order="left")
    columns: dict[str, np.ndarray] = {}
    names: dict[str, list[str]] = {}
    for name in NAME_COLUMNS:
        columns[name], names[name] = _coded(table, name)
    price = _with_unknown(_float_column(table, "price"), np.nan)
    if "price" in events.columns:
        from_events = _event_prices(events, len(ids), valid_from)
        price = np.where(np.isnan(price), from_events, price)
    columns["price"] = price.astype(np.float32)
    columns["price_band"] = decile_bands(price, ~np.isnan(price))
    takers = _takers(events, len(ids), valid_from)
    columns["popularity"] = np.log1p(takers).astype(np.float32)
    columns["popularity_band"] = decile_bands(takers.astype(np.float64), takers > 0)
    columns["in_stock"] = _bool_column(table, "in_stock", unknown=True)
    columns["adult"] = _bool_column(table, "adult", unknown=False)
    columns["created_at"] = (
        _with_unknown(table["created_at"].fill_null(0).to_numpy(), 0).astype(np.int64)
        if "created_at" in table.columns
        else np.zeros(len(ids) + 1, dtype=np.int64)
    )
    # The unknown item is never offered, so it is never in stock.
    columns["in_stock"][0] = False
    titles = table["title"].fill_null("").to_list() if "title" in table.columns else [""] * len(ids)
    return CatalogueContent(columns, names, titles)


def _coded(table: pl.DataFrame, name: str) -> tuple[np.ndarray, list[str]]:
    """Codes 1…count by sorted name (int32[N + 1], 0 = unknown) and the names."""
    if name not in table.columns:
        return np.zeros(table.height + 1, dtype=np.int32), []
    values = table[name].drop_nulls().unique().sort()
    codes = (
        table.select(name)
        .join(
            pl.DataFrame({name: values}).with_row_index("code", offset=1),
            on=name,
            how="left",
            maintain_order="left",
        )["code"]
        .fill_null(0)
    )
    return _with_unknown(codes.cast(pl.Int32).to_numpy(), 0), values.to_list()


def _with_unknown(values: np.ndarray, unknown: float) -> np.ndarray:
    return np.concatenate((np.array([unknown], dtype=values.dtype), values))


def _float_column(table: pl.DataFrame, name: str) -> np.ndarray:
    if name not in table.columns:
        return np.full(table.height, np.nan)
    return table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _bool_column(table: pl.DataFrame, name: str, *, unknown: bool) -> np.ndarray:
    if name not in table.columns:
        return np.full(table.height + 1, unknown)
    return _with_unknown(table[name].fill_null(unknown).to_numpy(), unknown)


def _event_prices(events: pl.DataFrame, size: int, valid_from: int) -> np.ndarray:
    priced = events.lazy().filter(pl.col("price").is_not_null() & (pl.col("price") > 0))
    early = priced.filter(pl.col("ts") < valid_from).group_by("item").agg(pl.col("price").median())
    first = priced.group_by("item").agg(pl.col("price").sort_by("ts").first().alias("first_price"))
    prices = first.join(early, on="item", how="left").collect()
    column = np.full(size + 1, np.nan)
    column[prices["item"].to_numpy()] = (
        prices.select(pl.coalesce("price", "first_price")).to_series().to_numpy()
    )
    return column


def _takers(events: pl.DataFrame, size: int, valid_from: int) -> np.ndarray:
    """Number of users with a behaviour on each item before `valid_from`, int64[size + 1]."""
    counted = (
        events.lazy()
        .filter((pl.col("ts") < valid_from) & (pl.col("event") != IMPRESSION))
        .select("item", "user")
        .unique()
        .group_by("item")
        .len()
        .collect()
    )
    takers = np.zeros(size + 1, dtype=np.int64)
    takers[counted["item"].to_numpy()] = counted["len"].to_numpy()
    return takers
