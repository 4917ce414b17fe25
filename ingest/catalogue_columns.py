"""Catalogue columns from a shop's items and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.bands import decile_bands
from ingest.dense_ids import DenseIds
from snapshot.event_codes import IMPRESSION
from snapshot.item_columns import ITEM_COLUMNS, ItemColumn


@dataclass(frozen=True)
class CatalogueContent:
    """What `snapshot.write_catalogue` takes: columns of length N + 1, and the names of group columns."""

    columns: dict[str, NDArray[Any] | list[str]]
    names: dict[str, list[str]]


def catalogue_content(
    ids: DenseIds, items: pl.DataFrame | None, events: pl.DataFrame, valid_from: int
) -> CatalogueContent:
    """Lays a shop's items out as catalogue columns.

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
    columns: dict[str, NDArray[Any] | list[str]] = {}
    names: dict[str, list[str]] = {}
    exact: dict[str, NDArray[Any]] = {}
    for name, column in ITEM_COLUMNS.items():
        if column.later and not (column.from_items and name in table.columns):
            continue
        if column.kind == "group":
            columns[name], names[name] = _coded(table, name)
        elif column.kind == "text":
            columns[name] = ["", *_filled(table, name, column).to_list()]
        elif column.kind == "band":
            values = exact[column.bands_of]
            columns[name] = decile_bands(values, ~ITEM_COLUMNS[column.bands_of].is_unknown(values))
        elif name == "popularity":
            exact[name] = _takers(events, len(ids), valid_from)
            columns[name] = np.log1p(exact[name]).astype(column.dtype)
        else:
            exact[name] = _with_unknown(_filled(table, name, column).to_numpy(), column.default)
            if name == "price" and "price" in events.columns:
                from_events = _event_prices(events, len(ids), valid_from)
                exact[name] = np.where(np.isnan(exact[name]), from_events, exact[name])
            rounded = exact[name].astype(column.dtype)
            if name == "in_stock":
                # The unknown item is never offered, so it is never in stock.
                rounded[0] = False
            columns[name] = rounded
    return CatalogueContent(columns, names)


def _coded(table: pl.DataFrame, name: str) -> tuple[NDArray[np.int32], list[str]]:
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


def _filled(table: pl.DataFrame, name: str, column: ItemColumn) -> pl.Series:
    """The table's column, the default where it is null; all default where there is none."""
    if name not in table.columns:
        return pl.Series(name, [column.default]).new_from_index(0, table.height)
    values = table[name]
    return (values.cast(pl.Float64) if column.dtype.kind == "f" else values).fill_null(column.default)


def _with_unknown(values: NDArray[Any], unknown: bool | int | float | str) -> NDArray[Any]:
    return np.concatenate((np.array([unknown], dtype=values.dtype), values))


def _event_prices(events: pl.DataFrame, size: int, valid_from: int) -> NDArray[Any]:
    priced = events.lazy().filter(pl.col("price").is_not_null() & (pl.col("price") > 0))
    early = priced.filter(pl.col("ts") < valid_from).group_by("item").agg(pl.col("price").median())
    first = priced.group_by("item").agg(pl.col("price").sort_by("ts").first().alias("first_price"))
    prices = first.join(early, on="item", how="left").collect()
    column = np.full(size + 1, np.nan)
    column[prices["item"].to_numpy()] = (
        prices.select(pl.coalesce("price", "first_price")).to_series().to_numpy()
    )
    return column


def _takers(events: pl.DataFrame, size: int, valid_from: int) -> NDArray[Any]:
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
