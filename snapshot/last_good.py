"""Which folder to serve where the published one is damaged: the newest other one that is intact."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Generic

from snapshot.manifest import SnapshotError
from snapshot.sealed_folders import Opened, SealedFolders


@dataclass(frozen=True, slots=True)
class Usable(Generic[Opened]):
    """A verified folder to serve.

    Attributes:
        opened: it.
        damage: what is wrong with the published one; None where it is this.
        damaged: id of the published one; empty where it is this.
    """

    opened: Opened
    damage: SnapshotError | None = None
    damaged: str = ""


def open_usable(store: SealedFolders[Opened]) -> Usable[Opened]:
    """The published folder, or the newest other one where it is damaged; every checksum is compared.

    Raises:
        SnapshotError: nothing is published, or the published folder is damaged and no other is intact.
    """
    try:
        return Usable(store.open_current(verify=True))
    except SnapshotError as damage:
        current = store.current_id()
        if current is None:
            raise
        for opened in intact_folders(store, besides={current}):
            return Usable(opened, damage, current)
        raise


def intact_folders(store: SealedFolders[Opened], besides: Collection[str] = ()) -> Iterator[Opened]:
    """The folders that match their checksums, newest first; each is verified when it is asked for.

    Args:
        store: the folders.
        besides: ids left out.
    """
    for id in reversed(store.ids()):
        if id not in besides:
            try:
                opened = store.open(id, verify=True)
            except SnapshotError:
                # Damaged too, or pruned meanwhile: the next older one may be intact.
                continue
            yield opened
