"""What the learner must know of the shop beside its log: the catalogue that serves, and the scenes."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from recall.registry import CHANNELS
from router.scenes.load import KnownNames, load_scenes
from router.scenes.problems import SettingsError
from snapshot.catalogue import Catalogue
from snapshot.last_good import open_usable
from snapshot.manifest import SnapshotError
from snapshot.store import SnapshotStore
from state.live_counters.profile_keys import ProfileKeys

logger = logging.getLogger(__name__)

_MOST_VOCABULARIES = 8


class ShopFacts:
    """The published snapshot's catalogue and the configured scenes, followed while they change."""

    def __init__(self, snapshots: Path, scenes: Path) -> None:
        """Opens both. `snapshots`: the folder of the store; `scenes`: the scene configuration.

        Raises:
            SnapshotError: no snapshot can be used.
            SettingsError: the scenes are wrong.
            OSError: they cannot be read.
        """
        self._store = SnapshotStore(snapshots)
        self._scenes_path = scenes
        self._content = scenes.read_bytes()
        self.scenes: Collection[str] = _names(scenes)
        usable = open_usable(self._store)
        self._published = self._store.current_id()
        self.catalogue: Catalogue = usable.opened.catalogue
        self._profiles: dict[str, ProfileKeys | None] = {}

    def look(self) -> bool:
        """Takes up a new snapshot and edited scenes; True where the catalogue is another one now.

        What cannot be used is logged, and what was there stays.
        """
        try:
            content = self._scenes_path.read_bytes()
            if content != self._content:
                self._content = content
                self.scenes = _names(self._scenes_path)
        except (OSError, SettingsError) as error:
            logger.warning("the learner keeps the scenes it has: %s", error)
        published = self._store.current_id()
        if published is None or published == self._published:
            return False
        self._published = published
        try:
            self.catalogue = self._store.open(published, verify=False).catalogue
        except (SnapshotError, OSError) as error:
            logger.warning("the learner keeps the catalogue it has: %s", error)
            return False
        return True

    def profiles(self, snapshot_id: str) -> ProfileKeys | None:
        """Keys of the vocabulary of a snapshot, to read profile codes that it made; None where it is gone."""
        if snapshot_id not in self._profiles:
            while len(self._profiles) >= _MOST_VOCABULARIES:
                self._profiles.pop(next(iter(self._profiles)))
            try:
                vocabulary = self._store.open(snapshot_id, verify=False).catalogue.profile_vocab
                self._profiles[snapshot_id] = ProfileKeys.of(vocabulary)
            except (SnapshotError, OSError, ValueError) as error:
                logger.warning("profiles that snapshot %s encoded cannot be read: %s", snapshot_id, error)
                self._profiles[snapshot_id] = None
        return self._profiles[snapshot_id]


def _names(path: Path) -> frozenset[str]:
    return frozenset(load_scenes(path, KnownNames(CHANNELS)))
