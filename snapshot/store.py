"""Serving snapshots: sealed folders that hold a catalogue and the files of channels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snapshot.catalogue import CATALOGUE_FOLDER, Catalogue
from snapshot.manifest import Kind, Manifest
from snapshot.sealed_folders import SealedFolders


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened serving snapshot; its files stay readable while it is held, even once pruned."""

    path: Path
    manifest: Manifest
    catalogue: Catalogue


class SnapshotStore(SealedFolders[Snapshot]):
    """Serving snapshots under one root, for instance `<workspace>/snapshots`."""

    kind: Kind = "snapshot"

    def _opened(self, path: Path, manifest: Manifest) -> Snapshot:
        return Snapshot(path, manifest, Catalogue.open(path / CATALOGUE_FOLDER))
