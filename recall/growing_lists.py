"""Lists of items that are made block by block and lie in files until they are written: one block in memory.

Ten million items with four hundred neighbours each are 30 GiB, which were held twice while blocks were put
together. The files have no name and go with the lists; they lie where `tempfile` puts files (TMPDIR).
"""

from __future__ import annotations

import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from recall.lists import ItemLists


class GrowingLists:
    """Collects the lists of one block of rows after another."""

    def __init__(self) -> None:
        """Without rows."""
        self._items: IO[bytes] = tempfile.TemporaryFile(prefix="lists-")  # noqa: SIM115 (closed by `lists`)
        self._scores: IO[bytes] = tempfile.TemporaryFile(prefix="lists-")  # noqa: SIM115 (closed by `lists`)
        self._lengths: list[NDArray[np.int64]] = []

    def add(self, lists: ItemLists) -> None:
        """Appends the rows of a block; nothing may be added after `lists`."""
        self._lengths.append(np.diff(lists.offsets))
        for file, values in ((self._items, lists.items), (self._scores, lists.scores)):
            file.write(np.ascontiguousarray(values).data)

    def lists(self) -> ItemLists:
        """The rows of all blocks, one block after the other; items and scores are mapped from the files."""
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *self._lengths]))
        return ItemLists(
            offsets, _mapped(self._items, np.dtype(np.int32)), _mapped(self._scores, np.dtype(np.float32))
        )


def _mapped(file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The numbers in the file, which is closed: the map keeps it."""
    with file:
        file.flush()
        if not file.tell():
            return np.empty(0, dtype)
        return np.asarray(np.memmap(file, dtype, "r"))
