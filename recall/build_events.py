"""The columns of a log that tables are built from."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

REQUIRED = ("user", "item", "event", "ts")
OPTIONAL = ("session_id", "query")


def build_events(log: pl.LazyFrame) -> pl.DataFrame:
    """The events of a data set, with the columns and types of `recall.channel.BuildSource.events`."""
    return _columns(log).collect()


def mapped_events(log: pl.LazyFrame) -> pl.DataFrame:
    """As `build_events`, mapped from a file: a hundred million events are 1.7 GB.

    The file has no name and goes with the frame; it lies where `tempfile` puts files (TMPDIR).
    """
    import polars as pl
    import pyarrow as pa

    with tempfile.NamedTemporaryFile(prefix="events-", suffix=".arrow") as written:
        _columns(log).sink_ipc(written.name, compression="uncompressed")
        with pa.memory_map(written.name) as file:
            frame = pl.from_arrow(pa.ipc.open_file(file).read_all(), rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _columns(log: pl.LazyFrame) -> pl.LazyFrame:
    present = log.collect_schema().names()
    return log.select(*REQUIRED, *(column for column in OPTIONAL if column in present))
