"""A long log part by part: the way takes the memory of one part, and the results are the same.

Sums are taken in the order of the rows, so that they are those of the whole to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

ROWS_AT_ONCE = 4_000_000
"""Of a part: sorting and grouping take a hundred bytes an event."""


def parts_by_shopper(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The events in their order, in parts of whole shoppers; at least one part.

    events: sorted by user where there are more than `ROWS_AT_ONCE`; parts share their memory.
    """
    if events.height <= ROWS_AT_ONCE:
        return iter([events])
    slices = run_slices(events["user"].to_numpy())
    return (events.slice(rows.start, rows.stop - rows.start) for rows in slices)


def run_slices(values: NDArray[np.integer[Any]]) -> list[slice]:
    """Slices of about `ROWS_AT_ONCE` rows of an ascending column, none of which parts equal values.

    There is one at least; one run of equal values may be longer.
    """
    wanted = np.unique(values[ROWS_AT_ONCE::ROWS_AT_ONCE])
    # Where the run begins in which a slice would end.
    starts = np.unique(np.searchsorted(values, wanted))
    return [slice(*ends) for ends in pairwise([0, *starts[starts > 0].tolist(), len(values)])]


def row_slices(rows: int) -> Iterator[slice]:
    """Slices of at most `ROWS_AT_ONCE` of so many rows, in their order; for what is computed row by row."""
    return (slice(start, min(start + ROWS_AT_ONCE, rows)) for start in range(0, rows, ROWS_AT_ONCE))


def sums_by(
    groups: NDArray[np.integer[Any]], values: Callable[[slice], NDArray[Any]], length: int
) -> NDArray[np.float64]:
    """float64[length]: as `np.bincount` with weights, to the bit, whose weights are computed part by part.

    Args:
        groups: int[n], 0…length − 1, the group of each row.
        values: number[m] of a slice of m rows.
        length: number of groups.
    """
    sums = np.zeros(length)
    for rows in row_slices(len(groups)):
        # One after the other, so that a sum of rounded numbers does not depend on where parts end.
        np.add.at(sums, groups[rows], values(rows).astype(np.float64, copy=False))
    return sums
