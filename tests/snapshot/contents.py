"""A small catalogue to put into staged folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snapshot import Manifest, SnapshotStore, write_catalogue
from snapshot.catalogue import CATALOGUE_FOLDER
from snapshot.item_columns import ITEM_COLUMNS


def columns(size: int) -> dict[str, Any]:
    """All columns of a catalogue of `size` items, zero or empty everywhere."""
    return {
        name: [""] * (size + 1) if column.kind == "text" else np.zeros(size + 1, dtype=column.dtype)
        for name, column in ITEM_COLUMNS.items()
    }


def write_items(staged: Path, item_ids: list[str]) -> None:
    """Write a catalogue of these items with titles made from the ids."""
    write_catalogue(
        staged / CATALOGUE_FOLDER,
        item_ids,
        columns(len(item_ids)) | {"title": ["", *(f"Title of {item_id}" for item_id in item_ids)]},
        {},
        {"gender": ["f", "m"]},
    )


def sealed(store: SnapshotStore, item_ids: list[str], manifest: Manifest | None = None) -> str:
    """Seal a snapshot of these items; returns its id."""
    staged = store.stage()
    write_items(staged, item_ids)
    return store.seal(staged, manifest or Manifest(kind="snapshot"))
