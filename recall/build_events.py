"""The columns of a log that tables are built from."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

REQUIRED = ("user", "item", "event", "ts")
OPTIONAL = ("session_id", "query")


def build_events(log: pl.LazyFrame) -> pl.DataFrame:
    """The events of a data set as `recall.channel.BuildSource` takes them."""
    return _columns(log).collect()


def mapped_events(log: pl.LazyFrame, folder: Path) -> pl.DataFrame:
    """As `build_events`, mapped from a new file in `folder`: a hundred million events are 1.7 GB.

    The file goes with the folder; the frame may be used after it.
    """
    import polars as pl
    import pyarrow as pa

    descriptor, name = tempfile.mkstemp(prefix="events-", suffix=".arrow", dir=folder)
    os.close(descriptor)
    _columns(log).sink_ipc(name, compression="uncompressed")
    with pa.memory_map(name) as file:
        frame = pl.from_arrow(pa.ipc.open_file(file).read_all(), rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _columns(log: pl.LazyFrame) -> pl.LazyFrame:
    present = log.collect_schema().names()
    return log.select(*REQUIRED, *(column for column in OPTIONAL if column in present))
