"""Partitioned work on the events of one data set, on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recall.build_events import build_events
from shopfront.cluster.part_files import PartFiles
from shopfront.cluster.ray_cluster import Part, RayCluster, Report, silent
from snapshot.manifest import SnapshotError
from snapshot.partition_work import Columns, Range, balanced_ranges

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class RayWork:
    """`PartitionWork` over the events of a sealed data set, which every node reads for itself."""

    cluster: RayCluster
    events: Path
    """The data set's events.parquet, under the same path on every node."""
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
        import polars as pl

        rows = pl.scan_parquet(self.events).select(pl.len()).collect().item()
        if rows != events.height:
            raise ValueError(f"{events.height:,} events are not those of {self.events}, which has {rows:,}")
        load = np.bincount(events["user"].to_numpy(), minlength=2)
        parts = [
            Part(
                f"shoppers {start}…{stop - 1} of {self.events}",
                of_shoppers,
                (self.events, (start, stop), function, argument),
            )
            for start, stop in balanced_ranges(load, self.cluster.parts(self.jobs))
        ]
        return self._run(job, parts)

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

    def _run(self, job: str, parts: list[Part]) -> list[Columns]:
        inputs = [(_name(part.function), [_name(value) for value in part.arguments]) for part in parts]
        return self.cluster.run(job, PartFiles.of(self.jobs, job, inputs), parts, self.report)


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}" if callable(value) else repr(value)


def of_shoppers(
    file: Path, shoppers: Range, function: Callable[[Any, Any], Columns], argument: Any
) -> Columns:
    """function(events of the shoppers, argument); runs on a node. Raises SnapshotError: the file is torn."""
    import polars as pl

    try:
        events = build_events(
            pl.scan_parquet(file).filter(pl.col("user").is_between(shoppers[0], shoppers[1] - 1))
        )
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
