"""Ranked lists of items in three flat, memory-mapped arrays (the layout of a CSR sparse matrix).

Neighbours of an item, hot items of a category, hot items of a crowd: all are "row → items, best first".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError


@dataclass(frozen=True, slots=True)
class ItemLists:
    """Row r holds `items[offsets[r]:offsets[r + 1]]`, best first, and their `scores`."""

    offsets: NDArray[np.int64]
    """int64[rows + 1]."""
    items: NDArray[np.int32]
    """int32[total]."""
    scores: NDArray[np.float32]
    """float32[total]."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.offsets) - 1

    def lengths(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """The length of each of the rows, int64[r]. Raises IndexError for a row outside the lists."""
        lengths: NDArray[np.int64] = self.offsets[rows + 1] - self.offsets[rows]
        return lengths

    def gather(
        self, rows: NDArray[np.integer], limit: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
        """The first `limit` entries of each of the rows, one after the other.

        Returns items int32[m], scores float32[m] and, for each, the position in `rows` it came from,
        int64[m]. Raises IndexError for a row outside the lists.
        """
        lengths = self.lengths(rows)
        if limit is not None:
            lengths = np.minimum(lengths, limit)
        source = np.repeat(np.arange(len(rows)), lengths)
        first = np.cumsum(lengths) - lengths
        at = np.arange(len(source)) + (self.offsets[rows] - first).take(source)
        # Of many positions `take` needs half of the time of indexing.
        return self.items.take(at), self.scores.take(at), source

    def columns(self) -> dict[str, NDArray[Any]]:
        """`length` int64 of every row, `item` and `score`: those of several parts are joined by name."""
        return {"length": np.diff(self.offsets), "item": self.items, "score": self.scores}

    @classmethod
    def of_columns(cls, columns: Mapping[str, NDArray[Any]]) -> ItemLists:
        """The lists of rows 1, 2, … that are given as `columns()` returns them; row 0 is empty."""
        offsets = np.concatenate((np.zeros(2, np.int64), np.cumsum(columns["length"])))
        return cls(offsets, columns["item"], columns["score"])

    def write(self, folder: Path, name: str) -> int:
        """Write `<name>_offsets.npy`, `_items.npy` and `_scores.npy` into `folder`; returns the entries."""
        save_column(folder, f"{name}_offsets", self.offsets.astype(np.int64, copy=False))
        save_column(folder, f"{name}_items", self.items.astype(np.int32, copy=False))
        save_column(folder, f"{name}_scores", self.scores.astype(np.float32, copy=False))
        return len(self.items)

    @classmethod
    def open(cls, folder: Path, name: str, rows: int) -> ItemLists:
        """Memory-map what `write` wrote; the lists must have `rows` rows.

        Raises SnapshotError where a file is missing, torn or of another type, or where the files do not fit
        each other or the catalogue.
        """
        offsets = load_column(folder, f"{name}_offsets", np.dtype(np.int64), rows + 1)
        total = int(offsets[-1])
        if offsets[0] != 0 or total < 0 or np.any(np.diff(offsets) < 0):
            raise SnapshotError(
                folder, f"{name}_offsets.npy", "does not rise from 0", "build the folder again"
            )
        items = load_column(folder, f"{name}_items", np.dtype(np.int32), total)
        scores = load_column(folder, f"{name}_scores", np.dtype(np.float32), total)
        return cls(offsets, items, scores)


def ranked_lists(
    rows: NDArray[np.integer],
    items: NDArray[np.integer],
    scores: NDArray[np.number],
    row_count: int,
    limit: int,
) -> ItemLists:
    """Sort loose (row, item, score) entries into lists: best first, ties by the smaller item.

    Args:
        rows: int[n], each in 0…row_count − 1.
        items: int[n]; each (row, item) occurs at most once.
        scores: number[n], not negative; taken as float32.
        row_count: rows of the result.
        limit: most entries of a row, the best ones.
    """
    scores = scores.astype(np.float32)
    # The bits of a float that is not negative rise with it: row and score fit one integer, half the sorting.
    key = (rows.astype(np.int64) << 32) - scores.view(np.int32)
    order = np.lexsort((items, key))
    rows, items, scores = rows[order], items[order], scores[order]
    starts = np.searchsorted(rows, np.arange(row_count))
    rank = np.arange(len(rows)) - starts[rows]
    kept = rank < limit
    offsets = np.zeros(row_count + 1, np.int64)
    np.cumsum(np.bincount(rows[kept], minlength=row_count), out=offsets[1:])
    return ItemLists(offsets, items[kept].astype(np.int32), scores[kept])


def united(first: ItemLists, second: ItemLists, limit: int) -> ItemLists:
    """Per row the `limit` best of both, an item of both with its higher score; both have the same rows."""
    rows = np.arange(first.rows)
    row = np.concatenate([np.repeat(rows, lists.lengths(rows)) for lists in (first, second)])
    items = np.concatenate((first.items, second.items))
    scores = np.concatenate((first.scores, second.scores))
    order = np.lexsort((-scores, items, row))
    row, items, scores = row[order], items[order], scores[order]
    new = np.ones(len(row), np.bool_)
    new[1:] = (row[1:] != row[:-1]) | (items[1:] != items[:-1])
    return ranked_lists(row[new], items[new], scores[new], first.rows, limit)


def best_of_each_row(
    row_ends: NDArray[np.integer], scores: NDArray[np.floating], limit: int
) -> NDArray[np.int64]:
    """Positions int64[m] of the `limit` largest positive scores of each row of a CSR matrix, rows in order.

    row_ends: int[rows + 1], where each row begins and the last one ends; scores: float[n], its values.
    """
    kept = scores > 0
    for row in np.flatnonzero(np.diff(row_ends) > limit):
        span = slice(row_ends[row], row_ends[row + 1])
        beaten = np.argpartition(scores[span], -limit)[:-limit]
        kept[row_ends[row] + beaten] = False
    return np.flatnonzero(kept)
