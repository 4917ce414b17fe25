"""A small catalogue to put into staged folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snapshot import Manifest, SnapshotStore, write_catalogue
from snapshot.catalogue import CATALOGUE_FOLDER, COLUMN_TYPES, NAME_COLUMNS


def columns(size: int) -> dict[str, np.ndarray]:
    """All columns of a catalogue of `size` items, zero everywhere."""
    return {name: np.zeros(size + 1, dtype=dtype) for name, dtype in COLUMN_TYPES.items()}


def write_items(staged: Path, item_ids: list[str]) -> None:
    """Write a catalogue of these items with titles made from the ids."""
    write_catalogue(
        staged / CATALOGUE_FOLDER,
        item_ids,
        [f"Title of {item_id}" for item_id in item_ids],
        columns(len(item_ids)),
        {name: [] for name in NAME_COLUMNS},
        {"gender": ["f", "m"]},
    )


def sealed(store: SnapshotStore, item_ids: list[str], manifest: Manifest | None = None) -> str:
    """Seal a snapshot of these items; returns its id."""
    staged = store.stage()
    write_items(staged, item_ids)
    return store.seal(staged, manifest or Manifest(kind="snapshot"))
