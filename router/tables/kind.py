"""The registration of a learned table: how it is built offline and opened with the snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from recall.channel import BuildSource
from snapshot.catalogue import Catalogue


@dataclass(frozen=True)
class TableKind:
    """A table that one or several components read, written to `tables/<name>/` of a snapshot.

    Components that share a table name the same object in their `tables`.
    """

    name: str
    """Its folder in the snapshot and its section of the configuration, below `router.tables`."""
    settings: type[BaseModel]
    """Every field has a default and a description."""
    build: Callable[[BuildSource, Path, Any], dict[str, int]]
    """Takes (source, folder, settings); writes files into the existing folder, and returns how many entries
    each holds. Nothing after `source.now` may be used. Raises ValueError where what it is built from is
    missing."""
    open: Callable[[Path, Catalogue, Any], Any]
    """Takes (folder, catalogue, settings) and returns what components receive. Raises SnapshotError where the
    files are torn or do not fit the catalogue."""
    models: tuple[str, ...] = ()
    """Names of the models whose item vectors it is built from."""
    uses: tuple[TableKind, ...] = ()
    """Tables that it is built from: `build` finds their folders in `source.tables`."""


def with_used(kinds: Iterable[TableKind]) -> dict[str, TableKind]:
    """The tables and all that they use, by name, each after those that it uses."""
    found: dict[str, TableKind] = {}
    for kind in kinds:
        found |= with_used(kind.uses)
        found[kind.name] = kind
    return found
