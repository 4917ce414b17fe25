"""Small pictures of items in a snapshot, for people to look at: one file of all, found by the item."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapshot.columns import load_column, rows_between, save_column
from snapshot.manifest import SnapshotError

THUMBNAILS_FOLDER = "thumbnails"
CONTENT_TYPE = "image/jpeg"
MAX_BYTES = 64 * 1024
"""Of one picture."""
_ITEMS, _ENDS, _BYTES = "thumbnail_items", "thumbnail_ends", "thumbnail_bytes"
_FILES = tuple(f"{name}.npy" for name in (_ITEMS, _ENDS, _BYTES))


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """P pictures of P items.

    items     int32[P], 1…N, rising
    ends      int64[P], where the picture of each ends in `contents`
    contents  uint8[…], the files one after another
    """

    items: NDArray[np.int32]
    ends: NDArray[np.int64]
    contents: NDArray[np.uint8]

    @classmethod
    def open(cls, folder: Path) -> Thumbnails | None:
        """Maps what `save_thumbnails` wrote; None where the folder is not there.

        Raises SnapshotError where a file is torn or they do not go together.
        """
        if not folder.is_dir():
            return None
        items = load_column(folder, _ITEMS, np.dtype(np.int32))
        ends = load_column(folder, _ENDS, np.dtype(np.int64), len(items))
        contents = load_column(folder, _BYTES, np.dtype(np.uint8))
        if len(ends) and (np.diff(ends, prepend=0).min() < 0 or ends[-1] != len(contents)):
            raise SnapshotError(folder, f"{_ENDS}.npy", "does not fit the pictures", "build again")
        return cls(items, ends, contents)

    def has(self, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Of each dense item (int32[n]), whether there is a picture."""
        return np.isin(items, self.items)

    def read(self, item: int) -> bytes:
        """The picture of a dense item; empty where there is none."""
        own = rows_between(self.items, item, item + 1)
        if own.start == own.stop:
            return b""
        at = own.start
        start = int(self.ends[at - 1]) if at else 0
        return self.contents[start : int(self.ends[at])].tobytes()


def save_thumbnails(folder: Path, pictures: Mapping[int, bytes]) -> None:
    """Writes pictures by dense item into `folder`, which exists.

    Raises ValueError where one has more than `MAX_BYTES`.
    """
    ordered = [(item, pictures[item]) for item in sorted(pictures)]
    for item, content in ordered:
        if len(content) > MAX_BYTES:
            raise ValueError(
                f"the picture of item {item} has {len(content)} bytes, at most {MAX_BYTES} are taken"
            )
    save_column(folder, _ITEMS, np.array([item for item, _ in ordered], np.int32))
    save_column(folder, _ENDS, np.cumsum([len(content) for _, content in ordered], dtype=np.int64))
    save_column(folder, _BYTES, np.frombuffer(b"".join(content for _, content in ordered), np.uint8))


def copy_thumbnails(source: Path, snapshot: Path) -> None:
    """Gives a snapshot that is being made the pictures that were saved in `source`. Raises OSError."""
    target = snapshot / THUMBNAILS_FOLDER
    target.mkdir()
    for name in _FILES:
        shutil.copyfile(source / name, target / name)
