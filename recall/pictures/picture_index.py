"""The index of pictures as it is now: the main part, what arrived since, without what was deleted."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recall.pictures.delta_part import Allowed, DeltaPart
from recall.pictures.main_part import MainPart
from recall.pictures.searched import Alike, IndexChange, Pictured, best_items
from recall.pictures.settings import SimilarLookSettings

_PICTURES_PER_ITEM = 4
"""Pictures asked of each part for every item wanted, at most, where several are one item's."""


class PictureIndex:
    """Searches of many threads run beside `apply`, and see each change whole."""

    waits = False

    def __init__(
        self,
        main: MainPart,
        delta: DeltaPart,
        categories: NDArray[np.int32],
        codes: int,
        in_stock: NDArray[np.bool_],
        settings: SimilarLookSettings,
        revision: int = 0,
    ) -> None:
        """Opens nothing.

        Args:
            main: of the snapshot.
            delta: empty.
            categories: int32[N + 1], each item's category by its code.
            codes: the largest code.
            in_stock: bool[N + 1], items that a search may find.
            settings: how it is searched.
            revision: of the last change that is in `main`.
        """
        self.revision = revision
        self._main, self._delta = main, delta
        self._settings = settings
        self._categories, self._in_stock = categories, in_stock
        of_rows = categories[main.items]
        self._by_category = np.argsort(of_rows, kind="stable").astype(np.int32)
        self._ends = np.searchsorted(of_rows[self._by_category], np.arange(codes + 2))
        self._changing = threading.Lock()
        self._later: dict[int, dict[tuple[int, int], int]] = {}
        self._per_item = _most_of_one(main.items)
        items = main.items
        self._in_a_row = self._per_item == 1 and len(items) > 0 and items[-1] - items[0] + 1 == len(items)
        self._later_per_item = 1

    @property
    def pictures(self) -> tuple[int, int]:
        """Rows of the main part and of the delta, dead ones included."""
        return len(self._main), len(self._delta)

    def apply(self, changes: Sequence[IndexChange], revision: int | None = None) -> None:
        """Takes up changes in their order, up to a revision; the next search sees each. Repeatable."""
        with self._changing:
            for change in changes:
                if change.vector is None:
                    self._end(change)
                elif change.content is not None:
                    self._put(change.item, change.content, change.vector)
            if revision is not None:
                self.revision = max(self.revision, revision)

    def vectors_of(self, items: NDArray[np.int32]) -> Pictured:
        """Those of `items` int32[n] that have a picture, and the vectors [m, D] of their first ones."""
        known, vectors = [], []
        for item in items.tolist():
            rows = self._main.rows_of(item)[:1]
            if len(rows):
                vectors.append(self._main.vectors(rows))
            else:
                later = list(self._later.get(item, {}).values())[:1]
                if not later:
                    continue
                vectors.append(self._delta.vectors(np.array(later, np.int64)))
            known.append(item)
        found = np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32)
        return Pictured(np.array(known, np.int32), found)

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        category: int = 0,
        eligible: NDArray[np.bool_] | None = None,
        minimum: float = -1.0,
    ) -> Alike:
        """The items in stock whose pictures are most alike.

        Args:
            vector: float32[D], of length 1.
            k: items at most.
            category: only items of the category with this code; 0 = of all.
            eligible: bool[N + 1], items that alone may be found; None = all.
            minimum: cosine below which an item is left out.
        """
        if k <= 0:
            return Alike(np.empty(0, np.int32), np.empty(0, np.float32))
        near = max(1, min(self._per_item * k, len(self._main)))
        items, likeness = self._search_main(vector, near, category, eligible)
        if len(self._delta):
            allowed = None if eligible is None and not category else self._allowed(category, eligible)
            later, cosines = self._delta.search(vector, self._later_per_item * k, allowed)
            items, likeness = np.concatenate((items, later)), np.concatenate((likeness, cosines))
        kept = likeness >= minimum
        return best_items(items[kept], likeness[kept], k)

    def _allowed(self, category: int, eligible: NDArray[np.bool_] | None) -> Allowed:
        """Looks at the items that are asked about alone, which are few among all of the catalogue."""

        def allowed(items: NDArray[np.int32]) -> NDArray[np.bool_]:
            within = np.ones(len(items), np.bool_) if eligible is None else eligible[items]
            return within & (self._categories[items] == category) if category else within

        return allowed

    def _search_main(
        self, vector: NDArray[np.float32], k: int, category: int, eligible: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        if not len(self._main):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        among: NDArray[np.int64] | None = None
        mask: NDArray[np.bool_] | None = None
        if category:
            among = self._by_category[self._ends[category] : self._ends[category + 1]].astype(np.int64)
            if eligible is not None:
                among = among[eligible[self._main.items[among]]]
        elif eligible is not None:
            mask = self._of_rows(eligible)
        likeness, rows = self._main.search(vector[None], k, among, mask=mask)
        found = rows[0] >= 0
        return self._main.items[rows[0][found]], likeness[0][found]

    def _of_rows(self, of_items: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool[P] of the main part's rows, from bool[N + 1]: a part of it where these are in a row."""
        items = self._main.items
        return of_items[items[0] : items[-1] + 1] if self._in_a_row else of_items[items]

    def _put(self, item: int, content: tuple[int, int], vector: NDArray[np.float32]) -> None:
        later = self._later.get(item, {})
        if content in later or self._main.row_of(item, content) >= 0:
            return
        # Before the picture can be found, so that those of its item leave room for other items.
        self._later_per_item = max(self._later_per_item, min(len(later) + 1, _PICTURES_PER_ITEM))
        row = self._delta.append(item, vector, bool(self._in_stock[item]))
        # Replaced, not changed: a search may be reading it.
        self._later[item] = {**later, content: row}

    def _end(self, change: IndexChange) -> None:
        later = self._later.get(change.item, {})
        if change.content is None:
            for row in self._main.rows_of(change.item).tolist():
                self._main.end(row)
            ended = later
        else:
            row = self._main.row_of(change.item, change.content)
            if row >= 0:
                self._main.end(row)
            ended = {change.content: later[change.content]} if change.content in later else {}
        for row in ended.values():
            self._delta.end(row)
        if ended:
            self._later[change.item] = {key: row for key, row in later.items() if key not in ended}


def _most_of_one(items: NDArray[np.int32]) -> int:
    """The most rows of one of int32[P] ascending items, or `_PICTURES_PER_ITEM` where there are more."""
    most = 1
    while most < _PICTURES_PER_ITEM and (items[most:] == items[:-most]).any():
        most += 1
    return most
