"""Finds the codes of a group column by a name that a person or another system writes."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from recall.search.words import folded
from snapshot.catalogue import Catalogue


class GroupNames:
    """The names of one column; case, accents and white space around separators do not count."""

    def __init__(self, catalogue: Catalogue, column: str, separator: str = "") -> None:
        """`separator`: between the parts of a name that is a path; empty: names are no paths."""
        self._separator = separator
        count = catalogue.code_count(column)
        names = [self._written(name) for name in catalogue.names(column, np.arange(count + 1))]
        order = sorted(range(1, count + 1), key=names.__getitem__)
        self._names = [names[code] for code in order]
        self._codes = np.array(order, np.int64)
        self._count = count

    def find(self, name: str) -> NDArray[np.bool_]:
        """bool[codes + 1], which groups have the name or lie below it in a path; 0, unknown, never does."""
        found = np.zeros(self._count + 1, np.bool_)
        wanted = self._written(name)
        if wanted:
            found[self._codes[self._range(wanted, wanted + "\0")]] = True
            if self._separator:
                below = wanted + self._separator
                found[self._codes[self._range(below, below + "\U0010ffff")]] = True
        return found

    def _range(self, first: str, end: str) -> slice:
        return slice(bisect_left(self._names, first), bisect_left(self._names, end))

    def _written(self, name: str) -> str:
        if not self._separator:
            return folded(name)
        parts = [folded(part) for part in name.split(self._separator)]
        return self._separator.join(parts).strip(self._separator)
