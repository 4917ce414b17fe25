"""Columns of rows that were chosen and ordered several times, each gathered only where it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
import numpy.typing as npt

_Float32 = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice


class TakenColumns(Mapping[str, _Float32]):
    """The rows of columns at given positions: float32[m] by name.

    Candidates have a dozen further columns and are ordered anew by every reranker, which reads one of them or
    none: choosing among the rows again moves positions alone.
    """

    __slots__ = ("_columns", "_gathered", "_rows")

    def __init__(self, columns: Mapping[str, _Float32], rows: npt.NDArray[np.intp]) -> None:
        """`columns`: float32[n] each, which must not change; `rows`: int[m], positions among the n."""
        self._columns = columns
        self._rows = rows
        self._gathered: dict[str, _Float32] = {}

    def taken(self, chosen: Rows) -> TakenColumns:
        """Of these rows, those at `chosen`: positions, a mask bool[m], or a slice."""
        return TakenColumns(self._columns, self._rows[chosen])

    def __getitem__(self, name: str) -> _Float32:
        """float32[m], a column; KeyError where there is none of this name."""
        column = self._gathered.get(name)
        if column is None:
            column = self._gathered[name] = self._columns[name][self._rows]
        return column

    def __contains__(self, name: object) -> bool:
        """Whether there is a column of this name; gathers nothing."""
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Number of columns."""
        return len(self._columns)


def taken(columns: Mapping[str, _Float32], chosen: Rows) -> Mapping[str, _Float32]:
    """The rows of columns float32[n] at `chosen`: positions int[m], a mask bool[n], or a slice."""
    if isinstance(columns, TakenColumns):
        return columns.taken(chosen)
    if isinstance(chosen, slice):
        # A view of each costs less than positions.
        return {name: column[chosen] for name, column in columns.items()}
    # A mask is looked through once, not for every column.
    positions = chosen.nonzero()[0] if chosen.dtype == np.bool_ else cast(npt.NDArray[np.intp], chosen)
    return TakenColumns(columns, positions)
