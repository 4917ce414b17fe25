"""A shard: the pictures of one range of items as an index of their own, which needs nothing else of the shop.

Within a shard items are numbered from 1, so that its columns are as long as its range.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from recall.item_pictures import open_contents, save_contents
from recall.pictures.delta_part import DeltaPart
from recall.pictures.files import open_index_files, write_index_files
from recall.pictures.main_part import MainPart
from recall.pictures.picture_index import PictureIndex
from recall.pictures.searched import Alike, IndexChange, Pictured
from recall.pictures.settings import SimilarLookSettings
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, rows_between, save_column
from snapshot.manifest import SnapshotError

_BOUNDS, _ITEMS, _CATEGORIES, _IN_STOCK = "shard_bounds", "picture_items", "categories", "in_stock"


class ShardBehind(Exception):
    """A shard lacks changes that the caller knows of, so it might return what was deleted."""


class ShardStatus(NamedTuple):
    """How far a shard is.

    revision: of the last change in it; main, delta: pictures of the snapshot and those that arrived.
    """

    revision: int
    main: int
    delta: int


def write_shards(
    folder: Path,
    items: NDArray[np.int32],
    contents: NDArray[np.uint64],
    vectors: NDArray[np.float32],
    revision: int,
    catalogue: Catalogue,
    settings: SimilarLookSettings,
    seed: int,
) -> int:
    """Writes P pictures into `folder` in parts of about equally many items with a picture.

    Args:
        folder: exists; each part becomes a folder in it.
        items: int32[P], ascending, not empty.
        contents: uint64[P, 2].
        vectors: float32[P, D], of length 1.
        revision: of the last change that is in them.
        catalogue: of these items.
        settings: of the index; never more parts than items with a picture are written.
        seed: of what is drawn.

    Returns:
        Parts.
    """
    pictured = np.unique(items)
    count = min(settings.shards, len(pictured))
    last = pictured[np.arange(1, count) * len(pictured) // count - 1]
    bounds = np.concatenate(([0], last, [catalogue.size])).astype(np.int32)
    save_column(folder, _BOUNDS, bounds)
    for number, path in enumerate(_folders(folder, count)):
        path.mkdir()
        first, after = bounds[number : number + 2].tolist()
        rows = rows_between(items, first + 1, after + 1)
        save_column(path, _ITEMS, items[rows] - first)
        save_contents(path, contents[rows], revision)
        for name, column in ((_CATEGORIES, catalogue.category), (_IN_STOCK, catalogue.in_stock)):
            save_column(path, name, np.concatenate((column[:1], column[first + 1 : after + 1])))
        write_index_files(path, vectors[rows], settings, seed)
    return count


def shard_folders(folder: Path, size: int) -> tuple[NDArray[np.int32], list[Path]]:
    """The parts in `folder`; without any where the index is in one piece.

    Args:
        folder: as `write_shards` has it.
        size: N.

    Returns:
        Bounds int32[n + 1], part s holds the items from bounds[s] + 1 to bounds[s + 1], and n folders.

    Raises:
        SnapshotError: the bounds are torn or of another catalogue.
    """
    if not (folder / f"{_BOUNDS}.npy").exists():
        return np.zeros(1, np.int32), []
    bounds = np.asarray(load_column(folder, _BOUNDS, np.dtype(np.int32)))
    if len(bounds) < 2 or bounds[0] or bounds[-1] != size or (np.diff(bounds) <= 0).any():
        raise SnapshotError(
            folder, f"{_BOUNDS}.npy", f"does not divide {size} items", "build the snapshot again"
        )
    return bounds, _folders(folder, len(bounds) - 1)


class Shard:
    """One part, open; its methods may be called in many threads at once."""

    def __init__(self, index: PictureIndex, items: int, threads: int) -> None:
        """`index`: of this part's items, numbered from 1 to `items`; threads: of one search."""
        self._index = index
        self._items = items
        self._threads = threads

    @classmethod
    def open(cls, folder: Path, dimensions: int, settings: SimilarLookSettings) -> Shard:
        """Maps what `write_shards` wrote. Raises SnapshotError where it is torn or of other vectors."""
        categories = np.asarray(load_column(folder, _CATEGORIES, np.dtype(np.int32)))
        in_stock = np.asarray(load_column(folder, _IN_STOCK, np.dtype(np.bool_), len(categories)))
        items = load_column(folder, _ITEMS, np.dtype(np.int32))
        if not len(items) or items.min() < 1 or items.max() >= len(categories) or (np.diff(items) < 0).any():
            raise SnapshotError(
                folder, f"{_ITEMS}.npy", "names items out of its range", "build the snapshot again"
            )
        contents, revision = open_contents(folder, len(items))
        files = open_index_files(folder, len(items), dimensions)
        main = MainPart(files.index, files.vectors, items, contents, in_stock[items], settings)
        delta = DeltaPart(files.empty, dimensions, settings)
        codes = int(categories.max(initial=0))
        index = PictureIndex(main, delta, categories, codes, in_stock, settings, revision)
        return cls(index, len(categories) - 1, settings.threads)

    def status(self) -> ShardStatus:
        """How far it is."""
        return ShardStatus(self._index.revision, *self._index.pictures)

    def search(
        self,
        at_least: int,
        vector: NDArray[np.float32],
        k: int,
        category: int,
        eligible: NDArray[np.uint8] | None,
        minimum: float,
    ) -> Alike:
        """As `PictureIndex.search`, `eligible` by one bit an item. Raises ShardBehind before `at_least`."""
        self._check(at_least)
        faiss.omp_set_num_threads(self._threads)
        mask = None
        if eligible is not None:
            mask = np.unpackbits(eligible, count=self._items + 1).view(np.bool_)
        return self._index.search(vector, k, category=category, eligible=mask, minimum=minimum)

    def vectors_of(self, at_least: int, items: NDArray[np.int32]) -> Pictured:
        """As `PictureIndex.vectors_of`. Raises ShardBehind before `at_least`."""
        self._check(at_least)
        return self._index.vectors_of(items)

    def apply(self, changes: Sequence[IndexChange], revision: int) -> ShardStatus:
        """Takes up changes of its items, up to a revision; returns how far it is."""
        self._index.apply(changes, revision)
        return self.status()

    def _check(self, at_least: int) -> None:
        if self._index.revision < at_least:
            raise ShardBehind(
                f"it has changes up to number {self._index.revision}, of {at_least}, and is catching up"
            )


def _folders(folder: Path, count: int) -> list[Path]:
    return [folder / f"shard-{number:03}" for number in range(count)]
