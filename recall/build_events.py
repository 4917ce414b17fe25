"""The columns of a log that tables are built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

REQUIRED = ("user", "item", "event", "ts")
OPTIONAL = ("session_id", "query")


def build_events(log: pl.LazyFrame) -> pl.DataFrame:
    """The events of a data set as `recall.channel.BuildSource` takes them."""
    present = log.collect_schema().names()
    return log.select(*REQUIRED, *(column for column in OPTIONAL if column in present)).collect()
