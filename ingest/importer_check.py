"""Checks what an importer hands over before anything reads it, so that its mistake is named as its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import polars as pl

from ingest.shop_tables import IngestError, ShopTables
from snapshot.item_columns import ITEM_COLUMNS

Fits = tuple[str, Callable[[pl.DataType], bool]]

_TEXT: Fits = ("str", lambda dtype: dtype == pl.String)
_ID: Fits = ("str or an integer", lambda dtype: dtype == pl.String or dtype.is_integer())
_NUMBER: Fits = ("a number", lambda dtype: dtype.is_numeric())
_FLAG: Fits = ("bool", lambda dtype: dtype == pl.Boolean)
_CODE: Fits = ("uint8 (snapshot.event_codes.EVENT_CODES)", lambda dtype: dtype == pl.UInt8)
_INT64: Fits = ("int64", lambda dtype: dtype == pl.Int64)
_OF_KIND = {"group": _TEXT, "text": _TEXT, "value": _NUMBER, "flag": _FLAG, "time": _INT64}

_EVENTS: Mapping[str, Fits] = {"user_id": _ID, "item_id": _ID, "event": _CODE, "ts_ms": _INT64}
_EVENT_EXTRAS: Mapping[str, Fits] = {
    "scene": _TEXT,
    "position": _NUMBER,
    "session_id": _TEXT,
    "quantity": _NUMBER,
    "price": _NUMBER,
}


def check_handed_over(tables: ShopTables, importer: str) -> None:
    """Checks that the tables of an importer are as `ShopTables` describes them.

    Args:
        tables: what its `read` returned.
        importer: its name, for the message.

    Raises:
        IngestError: a table lacks a column, or a column has another type or a null id; each is named.
    """
    faults = [*_faults("events", tables.events, _EVENTS, _EVENT_EXTRAS)]
    if tables.items is not None:
        kinds = {name: _OF_KIND[column.kind] for name, column in ITEM_COLUMNS.items() if column.from_items}
        faults += _faults("items", tables.items, {"item_id": _TEXT}, kinds)
    if tables.users is not None:
        faults += _faults("users", tables.users, {"user_id": _TEXT}, {})
    if faults:
        raise IngestError(
            f"the log format {importer} hands over tables that cannot be used: {'; '.join(faults)}. They are "
            "described in ingest/shop_tables.py (ShopTables); correct its `read`"
        )


def _faults(
    table: str, rows: pl.DataFrame, needed: Mapping[str, Fits], optional: Mapping[str, Fits]
) -> Iterator[str]:
    for name, (expected, fits) in {**needed, **optional}.items():
        dtype = rows.schema.get(name)
        if dtype is None:
            if name in needed:
                yield f"{table} has no column {name}, {expected}"
        elif not fits(dtype):
            yield f"{table}.{name} is {dtype}, {expected} is expected"
        elif name in needed and rows[name].null_count():
            yield f"{table}.{name} has {rows[name].null_count():,} nulls"
