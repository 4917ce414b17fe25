"""The pictures of a shop's items, as vectors, for what is built from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.category_head import CategoryHead
from recall.object_head import ObjectHead
from recall.picture_space import PictureSpace
from recall.vector_index import open_vectors, write_vectors
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

_ITEMS, _VECTORS, _GROUPS = "picture_items", "picture_vectors", "groups"
_CONTENTS, _REVISION = "picture_contents", "picture_revision"


@dataclass(frozen=True)
class ItemPictures:
    """P usable pictures, in the order of their items, an item's first picture first.

    Attributes:
        items: int32[P], 1…N.
        vectors: float32[P, D] of length 1, in `space`.
        space: how the features of another picture become such a vector.
        groups: int32[N + 1], 1… for items whose first pictures are nearly identical, 0 = in no group.
        contents: uint64[P, 2], what names each picture's content.
        revision: number of the last change of a picture, made while the shop was open, that is in it.
        head: names a picture's category; None where there were too few pictures to fit one.
        objects: finds things in photos; None as with `head`, or where the shop's settings have none.
    """

    items: NDArray[np.int32]
    vectors: NDArray[np.float32]
    space: PictureSpace
    groups: NDArray[np.int32]
    contents: NDArray[np.uint64]
    revision: int = 0
    head: CategoryHead | None = None
    objects: ObjectHead | None = None

    def save(self, folder: Path) -> None:
        """Writes the pictures into `folder`, which exists."""
        save_column(folder, _ITEMS, self.items)
        save_column(folder, _GROUPS, self.groups)
        save_contents(folder, self.contents, self.revision)
        write_vectors(folder, _VECTORS, self.vectors)
        self.space.save(folder)
        if self.head is not None:
            self.head.save(folder)
        if self.objects is not None:
            self.objects.save(folder)

    @classmethod
    def open(cls, folder: Path) -> ItemPictures:
        """Maps what `save` wrote. Raises SnapshotError where it is torn."""
        items = load_column(folder, _ITEMS, np.dtype(np.int32))
        space = PictureSpace.open(folder)
        groups = load_column(folder, _GROUPS, np.dtype(np.int32))
        contents, revision = open_contents(folder, len(items))
        vectors = open_vectors(folder, _VECTORS, len(items))
        if vectors.shape[1] != space.dimensions or (len(items) and not 0 < items.max() < len(groups)):
            raise SnapshotError(
                folder,
                f"{_VECTORS}.npy",
                f"holds vectors of {vectors.shape[1]} dimensions, {space.dimensions} are expected",
                "build again",
            )
        head = CategoryHead.open(folder, space.features)
        return cls(items, vectors, space, groups, contents, revision, head, ObjectHead.open(folder))


def save_contents(folder: Path, contents: NDArray[np.uint64], revision: int) -> None:
    """Writes which pictures there are, `contents` uint64[P, 2], and up to which change, `revision`."""
    save_column(folder, _CONTENTS, np.ascontiguousarray(contents, np.uint64).reshape(-1))
    save_column(folder, _REVISION, np.array([revision], np.int64))


def open_contents(folder: Path, pictures: int) -> tuple[NDArray[np.uint64], int]:
    """What `save_contents` wrote of P pictures: uint64[P, 2] and the revision.

    Raises SnapshotError where it is torn or of another number of pictures.
    """
    contents = load_column(folder, _CONTENTS, np.dtype(np.uint64), 2 * pictures).reshape(-1, 2)
    return contents, int(load_column(folder, _REVISION, np.dtype(np.int64), 1)[0])
