"""Finds the codes of a group column by a name that a person or another system writes."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from recall.search.words import folded
from snapshot.catalogue import Catalogue


class GroupNames:
    """The names of one column; case, accents and white space around separators do not count."""

    def __init__(self, catalogue: Catalogue, column: str, separator: str = "", several: str = "") -> None:
        """Reads the names of a column's groups.

        Args:
            catalogue: has the column.
            column: of groups.
            separator: between the parts of a name that is a path; empty: names are no paths.
            several: between names where a group is an item's several at once ("Comedy|Drama"), which is found
                by each of them and by the whole; empty: each group has one name.
        """
        self._separator = separator
        self._count = catalogue.code_count(column)
        named = []
        for code, name in enumerate(catalogue.names(column, np.arange(self._count + 1))):
            written = {self._written(each) for each in (name, *(name.split(several) if several else ()))}
            named += [(each, code) for each in written if code and each]
        named.sort()
        self._names = [name for name, _ in named]
        self._codes = np.array([code for _, code in named], np.int64)

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
