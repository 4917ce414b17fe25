"""Work on a log that is divided: the same functions over parts, in this process or on many machines.

What is computed of a log in parts must not depend on how it was divided. Two divisions have this property:
into ranges of shoppers (an event concerns one shopper alone), and into ranges of items where each row of a
table is computed from columns that every part reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snapshot.growing_columns import GrowingColumns
from snapshot.log_parts import parts_by_shopper

if TYPE_CHECKING:
    import polars as pl

Columns = Mapping[str, NDArray[Any]]
"""Arrays by name: what parts receive in common, and what each returns."""

Range = tuple[int, int]
"""The whole numbers start…stop − 1."""


class PartitionWork(Protocol):
    """Runs functions over parts, and returns what they return in the order of the parts.

    The functions are named ones of a module and their arguments small values, since a part may be computed
    by another process; it may also be computed more than once.
    """

    def over_shoppers(
        self, job: str, function: Callable[[pl.DataFrame, Any], Columns], events: pl.DataFrame, argument: Any
    ) -> Iterable[Columns]:
        """function(events, argument) for ranges of shoppers, in the order of the shoppers.

        Args:
            job: what is computed, for people and for the folder of what is done.
            function: takes all events of some shoppers, as `events` has them.
            events: sorted by user.
            argument: what the function takes besides.
        """
        ...

    def over_ranges(
        self,
        job: str,
        function: Callable[[Range, Any, Columns], Columns],
        load: NDArray[np.number],
        argument: Any,
        columns: Columns,
    ) -> Iterable[Columns]:
        """function(range, argument, columns) for ranges of the rows 1…n of a table, in their order.

        Args:
            job: as of `over_shoppers`.
            function: computes the rows of a range; columns are read-only.
            load: number[n + 1], how much work each row is; row 0 is left out.
            argument: what the function takes besides.
            columns: arrays that all ranges read.
        """
        ...


class InThisProcess:
    """Here and now; a long log part by part, so that what is made on the way does not grow with it."""

    def over_shoppers(
        self, job: str, function: Callable[[pl.DataFrame, Any], Columns], events: pl.DataFrame, argument: Any
    ) -> Iterator[Columns]:
        """As `PartitionWork`; a part is computed when it is asked for."""
        del job
        return (function(part, argument) for part in parts_by_shopper(events))

    def over_ranges(
        self,
        job: str,
        function: Callable[[Range, Any, Columns], Columns],
        load: NDArray[np.number],
        argument: Any,
        columns: Columns,
    ) -> list[Columns]:
        """As `PartitionWork`: one range of all rows."""
        del job
        return [function((1, len(load)), argument, columns)]


IN_THIS_PROCESS = InThisProcess()


def joined(parts: Iterable[Columns]) -> dict[str, NDArray[Any]]:
    """The columns of all parts, one part after the other; at least one part, all with the same names.

    Those of several parts are read-only and mapped from files, a single part's are returned as they are.
    """
    rest = iter(parts)
    first = next(rest)
    second = next(rest, None)
    if second is None:
        return dict(first)
    with closing(GrowingColumns()) as growing:
        for part in chain((first, second), rest):
            growing.add(part)
        return growing.columns()


def balanced_ranges(load: NDArray[np.number], parts: int) -> list[Range]:
    """At most `parts` ranges over the rows 1…n, of about equal load, none of them empty.

    Args:
        load: number[n + 1], not negative; row 0 is left out.
        parts: at least 1.

    >>> balanced_ranges(np.array([0, 1, 1, 1, 3]), 2)
    [(1, 4), (4, 5)]
    """
    rows = len(load) - 1
    if rows < 1:
        return [(1, 1)]
    # A row costs something even where it has no load.
    so_far = np.cumsum(load[1:].astype(np.float64) + load[1:].sum() / (100 * rows) + 1e-9)
    wanted = so_far[-1] * np.arange(1, parts) / parts
    cuts = np.unique(np.concatenate(([0], np.searchsorted(so_far, wanted, side="right"), [rows])))
    return [(int(start) + 1, int(stop) + 1) for start, stop in pairwise(cuts)]
