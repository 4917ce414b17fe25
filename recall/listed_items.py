"""The items that a table of a channel is over: a column of dense items, ascending."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapshot.catalogue import Catalogue
from snapshot.columns import load_column
from snapshot.manifest import SnapshotError


def open_items(folder: Path, name: str, catalogue: Catalogue) -> NDArray[np.int32]:
    """Memory-map int32[m] of distinct items, ascending; raises SnapshotError where it is none of that."""
    items = load_column(folder, name, np.dtype(np.int32))
    if not items.size or items[0] <= 0 or items[-1] > catalogue.size or np.any(np.diff(items) <= 0):
        raise SnapshotError(
            folder, f"{name}.npy", "holds no items of the catalogue, ascending", "build the snapshot again"
        )
    return items
