"""Lists of items that are made block by block and lie in files until they are written: one block in memory.

Ten million items with four hundred neighbours each are 30 GiB, which putting blocks together in memory would
hold twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recall.lists import ItemLists
from snapshot.growing_columns import GrowingColumns


class GrowingLists:
    """Collects the lists of one block of rows after another."""

    def __init__(self) -> None:
        """Without rows."""
        self._columns = GrowingColumns()
        self._columns.add({"item": np.empty(0, np.int32), "score": np.empty(0, np.float32)})
        self._lengths: list[NDArray[np.int64]] = []

    def add(self, lists: ItemLists) -> None:
        """Appends the rows of a block; nothing may be added after `lists`."""
        self._lengths.append(np.diff(lists.offsets))
        self._columns.add({"item": lists.items, "score": lists.scores})

    def lists(self) -> ItemLists:
        """The rows of all blocks, one block after the other; items and scores are mapped from the files."""
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *self._lengths]))
        columns = self._columns.columns()
        return ItemLists(offsets, columns["item"], columns["score"])
