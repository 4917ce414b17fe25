"""What an importer hands over: a shop's events, items and users in one shape, whatever the files were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

Progress = Callable[[str, float], None]
"""Told what is being done and which share (0…1) of the whole ingest is behind."""


class IngestError(Exception):
    """The shop's data cannot be ingested; the message names what, where and what to do."""


@dataclass(frozen=True)
class ShopTables:
    """A shop's data before cleaning.

    Attributes:
        source: where it came from, for people.
        events: user_id and item_id (str or integer, no nulls), event uint8
            (`snapshot.event_codes.EVENT_CODES`), ts_ms int64 (unix milliseconds); optional scene str,
            position int32, session_id str, quantity float64, price float64 (per piece); further columns as
            they came.
        items: item_id str (no nulls), any of the registered item columns that come from the items file
            (groups and texts str, values float64 or their integers, flags bool, times int64 unix seconds),
            further columns. None where the shop has no items file.
        users: user_id str (no nulls), optional gender, age_band, city, purchasing_power str; further columns.
            None where the shop has no users file.
        tagged_titles: tokens list[str], tags list[str], optional held_out bool
            (`ingest.tagged_titles_file`). None where the shop has none.
        removed: rows already left out, by reason.
        changed: rows whose ids were brought to another form, by reason.
        examples: by reason, the row and masked form of the first value with that fault.
        alarms: sentences a person must read before relying on the data.
        rows_read: rows of the events file, before anything was left out; 0 where the importer does not count.
        unknown_stock_sells: whether an item whose stock is unknown counts as in stock.
    """

    source: str
    events: pl.DataFrame
    items: pl.DataFrame | None = None
    users: pl.DataFrame | None = None
    tagged_titles: pl.DataFrame | None = None
    removed: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    rows_read: int = 0
    unknown_stock_sells: bool = True
