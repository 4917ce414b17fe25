"""Pictures that arrived after the main part was built: in memory, searched with it, appended at any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from recall.pictures.products import products
from recall.pictures.search_parameters import KeptParameters, selector_of
from recall.pictures.settings import SimilarLookSettings

Allowed = Callable[[NDArray[np.int32]], NDArray[np.bool_]]

_FIRST = 256
_OF_SEALED = 64
"""Where many are sealed, a part of so many of them may be open, so that a picture costs no more to seal."""


@dataclass(frozen=True)
class _View:
    """What a search uses, replaced as a whole: rows up to `sealed` are in `index`, the others in `open`.

    `open`: float32[capacity, D], of which the first `count − sealed` rows are written; `shown`: rows that are
    not dead, of items that a search may find.
    """

    count: int
    sealed: int
    index: Any
    open: NDArray[np.float32]
    items: NDArray[np.int32]
    shown: NDArray[np.bool_]


class DeltaPart:
    """One thread appends and marks dead while others search; no search waits for it.

    The newest `delta_open` vectors are compared one by one, where they lie: a copy of those that may be found
    would take ten times as long. When there are so many, they go into a copy of the index of those before,
    which then takes its place: faiss cannot add to an index that is searched.
    """

    def __init__(self, empty: Callable[[], Any], dimensions: int, settings: SimilarLookSettings) -> None:
        """`empty`: makes a trained index without vectors, of the main part's kind."""
        self._empty = empty
        self._settings = settings
        self._parameters = KeptParameters(width=settings.hnsw_search_width, refined=settings.compact.refined)
        self._view = _View(
            0,
            0,
            None,
            np.empty((_FIRST, dimensions), np.float32),
            np.empty(_FIRST, np.int32),
            np.empty(_FIRST, np.bool_),
        )

    def __len__(self) -> int:
        """Rows, dead ones included."""
        return self._view.count

    def append(self, item: int, vector: NDArray[np.float32], may_be_found: bool) -> int:
        """Adds a picture of an item, which the next search finds where it may. Returns its row."""
        view = self._view
        if view.count - view.sealed >= max(self._settings.delta_open, view.sealed // _OF_SEALED):
            view = self._sealed(view)
        items, shown, unsealed = view.items, view.shown, view.open
        row = view.count
        if row == len(items):
            items, shown = _grown(items), _grown(shown)
        at = row - view.sealed
        if at == len(unsealed):
            unsealed = _grown(unsealed)
        items[row], shown[row], unsealed[at] = item, may_be_found, vector
        self._view = _View(row + 1, view.sealed, view.index, unsealed, items, shown)
        return row

    def end(self, row: int) -> None:
        """Marks a row dead: no search that begins now finds it."""
        self._view.shown[row] = False

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[m, D] of rows; of older ones as the index has them."""
        view = self._view
        found = np.empty((len(rows), view.open.shape[1]), np.float32)
        older = rows < view.sealed
        if older.any():
            found[older] = view.index.reconstruct_batch(np.ascontiguousarray(rows[older], np.int64))
        found[~older] = view.open[rows[~older] - view.sealed]
        return found

    def search(
        self, query: NDArray[np.float32], k: int, allowed: Allowed | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Items and cosines of the nearest rows that are not dead, in no order.

        Args:
            query: float32[D], of length 1.
            k: of the older rows and of the newest, each.
            allowed: says of items int32[m] which alone may be found, bool[m]; None = all.

        Returns:
            int32[m] and float32[m]; an item once for each of its pictures.
        """
        view = self._view
        if not view.count:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        shown = view.shown[: view.count]
        if allowed is not None:
            shown = shown & allowed(view.items[: view.count])
        newest = np.flatnonzero(shown[view.sealed :])
        rows = newest + view.sealed
        likeness = products(query, view.open[: view.count - view.sealed])[newest]
        if len(rows) > k:
            best = np.argpartition(-likeness, k - 1)[:k]
            rows, likeness = rows[best], likeness[best]
        if view.sealed and shown[: view.sealed].any():
            older, cosines = self._search_sealed(view, query, k, shown[: view.sealed])
            rows, likeness = np.concatenate((older, rows)), np.concatenate((cosines, likeness))
        return view.items[rows], likeness.astype(np.float32, copy=False)

    def _search_sealed(
        self, view: _View, query: NDArray[np.float32], k: int, shown: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        selector = None if shown.all() else selector_of(np.packbits(shown, bitorder="little"))
        wanted = min(k, view.sealed)
        parameters = self._parameters.of(
            view.index, wanted, self._settings.ivf_probes, selector, lasting=selector is None
        )
        likeness, rows = view.index.search(query[None], wanted, params=parameters)
        found = rows[0] >= 0
        return rows[0][found], likeness[0][found]

    def _sealed(self, view: _View) -> _View:
        index = self._empty() if view.index is None else faiss.clone_index(view.index)
        # Searches have the other cores.
        faiss.omp_set_num_threads(self._settings.threads)
        index.add(np.ascontiguousarray(view.open[: view.count - view.sealed]))
        fresh = np.empty((_FIRST, view.open.shape[1]), np.float32)
        self._view = _View(view.count, view.count, index, fresh, view.items, view.shown)
        return self._view


def _grown(column: NDArray[Any]) -> NDArray[Any]:
    """A copy with twice the rows, since a search may be reading this one."""
    return np.concatenate((column, np.empty_like(column)))
