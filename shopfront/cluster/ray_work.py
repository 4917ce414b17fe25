"""Partitioned work on the events of one data set, on a Ray cluster."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopfront.cluster.part_files import PartFiles
from shopfront.cluster.ray_cluster import Part, RayCluster, Report, silent
from snapshot.durable_files import write_durably
from snapshot.manifest import SnapshotError
from snapshot.partition_work import Columns, Range, balanced_ranges

_ROW_GROUP = 65_536
"""Rows; a range of shoppers reads the groups that it has a part of."""


@dataclass(frozen=True)
class RayWork:
    """`PartitionWork` over the events of a sealed data set, which every node reads for itself."""

    cluster: RayCluster
    events: Path | None
    """The data set's events.parquet, under the same path on every node; None: a job writes its events."""
    jobs: Path
    """Folder of what is done, which all nodes share."""
    report: Report = silent

    def over_shoppers(
        self, job: str, function: Callable[[pl.DataFrame, Any], Columns], events: pl.DataFrame, argument: Any
    ) -> list[Columns]:
        """As `PartitionWork`; nodes read their shoppers' events from the data set's file.

        Raises:
            ValueError: `events` are not those of the data set.
            JobError: see `RayCluster.run`.
        """
        load = np.bincount(events["user"].to_numpy(), minlength=2)
        ranges = balanced_ranges(load, self.cluster.parts(self.jobs))
        inputs = (_name(function), argument, ranges, events.columns, str(self.events))
        if self.events is None:
            content = {"rows": events.hash_rows().to_numpy()}
            files = PartFiles.of(self.jobs, job, inputs, content)
            file = files.folder / "events.parquet"
            if not file.is_file():
                buffer = io.BytesIO()
                events.write_parquet(buffer, row_group_size=_ROW_GROUP)
                write_durably(file, buffer.getvalue())
        else:
            files, file = PartFiles.of(self.jobs, job, inputs), self.events
            rows = pl.scan_parquet(file).select(pl.len()).collect().item()
            if rows != events.height:
                raise ValueError(f"{events.height:,} events are not those of {file}, which has {rows:,}")
        parts = [
            Part(
                f"shoppers {start}…{stop - 1} of {file}",
                of_shoppers,
                (file, events.columns, (start, stop), function, argument),
            )
            for start, stop in ranges
        ]
        return self.cluster.run(job, files, parts, self.report)

    def over_ranges(
        self,
        job: str,
        function: Callable[[Range, Any, Columns], Columns],
        load: NDArray[np.number],
        argument: Any,
        columns: Columns,
    ) -> list[Columns]:
        """As `PartitionWork`; columns reach the nodes as files. Raises JobError, see `RayCluster.run`."""
        ranges = balanced_ranges(load, self.cluster.parts(self.jobs))
        files = PartFiles.of(self.jobs, job, (_name(function), argument, ranges), columns)
        parts = [
            Part(f"rows {start}…{stop - 1}", of_range, (files, function, (start, stop), argument))
            for start, stop in ranges
        ]
        return self.cluster.run(job, files, parts, self.report)


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def of_shoppers(
    file: Path, columns: list[str], shoppers: Range, function: Callable[[Any, Any], Columns], argument: Any
) -> Columns:
    """function(events of the shoppers, argument); runs on a node. Raises SnapshotError: the file is torn."""
    try:
        of_range = pl.col("user").is_between(shoppers[0], shoppers[1] - 1)
        events = pl.scan_parquet(file).filter(of_range).select(columns).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # Polars panics at some torn pages; its message is of no use to people.
        raise SnapshotError(
            file.parent, file.name, "cannot be read, it is damaged", "ingest the shop's files again"
        ) from error
    return function(events, argument)


def of_range(
    files: PartFiles, function: Callable[[Range, Any, Columns], Columns], rows: Range, argument: Any
) -> Columns:
    """function(rows, argument, columns of the job); runs on a node."""
    return function(rows, argument, files.columns())
