"""The pictures of a shop's items, as vectors, for what is built from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.picture_space import PictureSpace
from recall.vector_index import open_vectors, write_vectors
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

_ITEMS, _VECTORS, _GROUPS = "picture_items", "picture_vectors", "groups"


@dataclass(frozen=True)
class ItemPictures:
    """P usable pictures, in the order of their items, an item's first picture first.

    Attributes:
        items: int32[P], 1…N.
        vectors: float32[P, D] of length 1, in `space`.
        space: how the features of another picture become such a vector.
        groups: int32[N + 1], 1… for items whose first pictures are nearly identical, 0 = in no group.
    """

    items: NDArray[np.int32]
    vectors: NDArray[np.float32]
    space: PictureSpace
    groups: NDArray[np.int32]

    def save(self, folder: Path) -> None:
        """Writes the pictures into `folder`, which exists."""
        save_column(folder, _ITEMS, self.items)
        save_column(folder, _GROUPS, self.groups)
        write_vectors(folder, _VECTORS, self.vectors)
        self.space.save(folder)

    @classmethod
    def open(cls, folder: Path) -> ItemPictures:
        """Maps what `save` wrote. Raises SnapshotError where it is torn."""
        items = load_column(folder, _ITEMS, np.dtype(np.int32))
        space = PictureSpace.open(folder)
        groups = load_column(folder, _GROUPS, np.dtype(np.int32))
        vectors = open_vectors(folder, _VECTORS, len(items))
        if vectors.shape[1] != space.dimensions or (len(items) and not 0 < items.max() < len(groups)):
            raise SnapshotError(
                folder,
                f"{_VECTORS}.npy",
                f"holds vectors of {vectors.shape[1]} dimensions, {space.dimensions} are expected",
                "build again",
            )
        return cls(items, vectors, space, groups)
