"""Builds learned tables into a snapshot's folder, and opens them from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from recall.channel import BuildSource
from recall.part_build import build_part
from router.tables.kind import TableKind, with_used
from snapshot.catalogue import Catalogue

TABLES_FOLDER = "tables"
"""The folder inside a snapshot that holds one folder per learned table."""


def build_tables(
    kinds: Mapping[str, TableKind],
    source: BuildSource,
    folder: Path,
    settings: Mapping[str, BaseModel],
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> dict[str, dict[str, int]]:
    """Builds each table into `folder/<table>/`.

    Args:
        kinds: the tables by name, those that they use among them or built before; where there are none, no
            folder is made.
        source: the log, catalogue and vectors; nothing after `source.now` is used.
        folder: the snapshot's folder of tables; the tables' own folders must be absent.
        settings: each table's settings by its name.
        progress: called with (what is being built, share done in 0…1) before each table and at the end.

    Returns:
        Table → file → entries.

    Raises:
        PartBuildError: a table lacks what it is built from; the message names what and what to do.
    """
    rows = {}
    ordered = [(name, kind) for name, kind in with_used(kinds.values()).items() if name in kinds]
    for done, (name, kind) in enumerate(ordered):
        progress(f"table: {name}", done / len(kinds))
        used = replace(source, tables={each.name: folder / each.name for each in kind.uses})
        rows[name] = build_part(f"the table {name}", kind.build, used, folder / name, settings[name])
    progress("tables", 1.0)
    return rows


def open_tables(
    kinds: Mapping[str, TableKind], folder: Path, catalogue: Catalogue, settings: Mapping[str, BaseModel]
) -> dict[str, Any]:
    """Opens those of the tables that a snapshot's folder of tables holds, by name.

    A table that is not there is left out: a scene that needs it is refused when it is assembled.
    Raises SnapshotError where a table's files are torn or do not fit the catalogue.
    """
    return {
        name: kind.open(folder / name, catalogue, settings[name])
        for name, kind in kinds.items()
        if (folder / name).is_dir()
    }
