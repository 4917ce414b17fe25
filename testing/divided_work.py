"""Partitioned work divided in this process: what parts compute apart must be what they compute together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snapshot.partition_work import Columns, Range, balanced_ranges

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class DividedWork:
    """`PartitionWork` in so many parts, one after the other."""

    parts: int

    def over_shoppers(
        self, job: str, function: Callable[[pl.DataFrame, Any], Columns], events: pl.DataFrame, argument: Any
    ) -> list[Columns]:
        """As `PartitionWork`."""
        import polars as pl

        ranges = balanced_ranges(np.bincount(events["user"].to_numpy(), minlength=2), self.parts)
        return [
            function(events.filter(pl.col("user").is_between(start, stop - 1)), argument)
            for start, stop in ranges
        ]

    def over_ranges(
        self,
        job: str,
        function: Callable[[Range, Any, Columns], Columns],
        load: NDArray[np.number],
        argument: Any,
        columns: Columns,
    ) -> list[Columns]:
        """As `PartitionWork`."""
        return [function(rows, argument, columns) for rows in balanced_ranges(load, self.parts)]
