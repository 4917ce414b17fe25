"""The immutable part of the index of pictures, mapped from a snapshot, and what is dead in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recall.pictures.compact import longer_codes
from recall.pictures.products import products
from recall.pictures.search_parameters import KeptParameters, selector_of
from recall.pictures.settings import SimilarLookSettings
from snapshot.columns import rows_between

_MOST_WIDENED = 16
"""Times as many inverted lists are visited, at most, where few rows may be found."""


class MainPart:
    """P pictures, sorted by item. Searches of many threads run beside one that marks rows dead."""

    def __init__(
        self,
        index: Any,
        vectors: NDArray[np.float32] | None,
        items: NDArray[np.int32],
        contents: NDArray[np.uint64],
        may_be_found: NDArray[np.bool_],
        settings: SimilarLookSettings,
    ) -> None:
        """Opens nothing.

        Args:
            index: of the P vectors, by inner product.
            vectors: float32[P, D]; None where the index gives them back itself.
            items: int32[P], ascending.
            contents: uint64[P, 2] (`recall.item_pictures`).
            may_be_found: bool[P], rows that a search may return.
            settings: how it is searched.
        """
        self.items = items
        self._index, self._vectors, self._contents = index, vectors, contents
        self._settings = settings
        self._alive = np.ones(len(items), np.bool_)
        self._shown = may_be_found.copy()
        self._bits = np.packbits(self._shown, bitorder="little")
        # Sees what becomes of the bits.
        self._selector = selector_of(self._bits)
        self._parameters = KeptParameters(width=settings.hnsw_search_width, refined=settings.compact.refined)
        self._hidden = int(len(items) - np.count_nonzero(self._shown))

    def __len__(self) -> int:
        """P."""
        return len(self.items)

    def rows_of(self, item: int) -> NDArray[np.int64]:
        """The rows of an item that are not dead, int64[m], its first picture first."""
        rows = rows_between(self.items, item, item + 1)
        return np.asarray(rows.start + np.flatnonzero(self._alive[rows]), np.int64)

    def row_of(self, item: int, content: tuple[int, int]) -> int:
        """The row of a picture that is not dead; −1 where there is none."""
        for row in self.rows_of(item).tolist():
            if (int(self._contents[row, 0]), int(self._contents[row, 1])) == content:
                return int(row)
        return -1

    def end(self, row: int) -> None:
        """Marks a row dead: no search finds it, and its item has it no more."""
        self._alive[row] = False
        if self._shown[row]:
            self._shown[row] = False
            self._hidden += 1
            self._bits[row >> 3] &= 255 ^ (1 << (row & 7))

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[m, D] of rows; of a compact index as its longer codes have them."""
        if self._vectors is not None:
            return np.asarray(self._vectors[rows])
        return np.asarray(self._index.reconstruct_batch(np.ascontiguousarray(rows, np.int64)), np.float32)

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        among: NDArray[np.int64] | None = None,
        probes: int | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The nearest rows of each query; the last of a row are −1 where fewer were found.

        Args:
            queries: float32[n, D], of length 1.
            k: rows each.
            among: int64[r], distinct rows that alone may be found; None = all. Dead ones are never found.
            probes: inverted lists visited; None = as the settings say.
            mask: bool[P], says the same of many rows, where `among` is None.

        Returns:
            Cosines float32[n, k] and rows int64[n, k], best first.
        """
        found = len(self) - self._hidden
        selector = self._selector if self._hidden else None
        if among is not None:
            among = among[self._shown[among]]
            if len(among) <= self._settings.exact_below:
                return self._compared(queries, k, among)
            mask = np.zeros(len(self), np.bool_)
            mask[among] = True
        if mask is not None:
            mask = mask & self._shown
            found = int(np.count_nonzero(mask))
            if found <= self._settings.exact_below:
                return self._compared(queries, k, np.flatnonzero(mask))
            selector = selector_of(np.packbits(mask, bitorder="little"))
        if not found:
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        widened = min(_MOST_WIDENED, len(self) / found)
        probed = int((probes or self._settings.ivf_probes) * widened)
        parameters = self._parameters.of(self._index, k, probed, selector, lasting=mask is None)
        likeness, rows = self._index.search(np.ascontiguousarray(queries, np.float32), k, params=parameters)
        return likeness, rows

    def _compared(
        self, queries: NDArray[np.float32], k: int, among: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        likeness = np.full((len(queries), k), -np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        if len(among):
            if self._vectors is None:
                turn, codes = longer_codes(self._index)
                queries = turn.apply(np.ascontiguousarray(queries, np.float32))
                vectors = codes.reconstruct_batch(np.ascontiguousarray(among, np.int64))
            else:
                vectors = np.ascontiguousarray(self._vectors[among], np.float32)
            cosines = np.stack([products(query, vectors) for query in queries])
            kept = min(k, len(among))
            order = np.argsort(-cosines, axis=1, kind="stable")[:, :kept]
            rows[:, :kept] = among[order]
            likeness[:, :kept] = np.take_along_axis(cosines, order, axis=1)
        return likeness, rows
