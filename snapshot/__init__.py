"""Immutable folders (data sets and serving snapshots): manifest, checksums, atomic swap, catalogue."""

from snapshot.catalogue import Catalogue
from snapshot.catalogue_writer import ItemIdClash, link_catalogue, write_catalogue
from snapshot.dataset import Dataset, DatasetStore
from snapshot.item_keys import item_keys
from snapshot.manifest import Cuts, FileRecord, Manifest, SnapshotError
from snapshot.store import Snapshot, SnapshotStore

__all__ = [
    "Catalogue",
    "Cuts",
    "Dataset",
    "DatasetStore",
    "FileRecord",
    "ItemIdClash",
    "Manifest",
    "Snapshot",
    "SnapshotError",
    "SnapshotStore",
    "item_keys",
    "link_catalogue",
    "write_catalogue",
]
