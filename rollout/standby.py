"""Which version serves while a replica has not been able to read the record even once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from triton_repo.errors import RepositoryError
from triton_repo.repository import ModelRepository

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standby:
    """The versions of a model that Triton has, and no candidates among them, as the repository tells.

    A promotion pins the version that took over and lets the one that the snapshot names be unloaded: who
    cannot read of the promotion would otherwise ask for a version that is not there.

    data_sets  version → data set it was trained on; empty where nothing is pinned
    """

    data_sets: Mapping[int, str] = field(default_factory=dict)

    def stable_version(self, dataset: str, manifest_version: int) -> int:
        """The version to serve with a snapshot of `dataset` that names `manifest_version`."""
        if not self.data_sets or manifest_version in self.data_sets:
            return manifest_version
        fitting = [version for version, trained_on in self.data_sets.items() if trained_on == dataset]
        return max(fitting, default=manifest_version)


def read_standby(repository: ModelRepository, model: str) -> Standby:
    """What `repository` tells of a model; blocks for the disk.

    Where it cannot be read, as by a router on another machine than Triton's, the snapshot's version stands.
    """
    try:
        pinned = repository.pinned(model)
        if pinned is None:
            return Standby()
        return Standby(
            {
                version: repository.manifest(model, version).dataset
                for version in set(pinned.versions) - set(pinned.on_trial)
            }
        )
    except (RepositoryError, OSError) as error:
        logger.warning("which versions of %s are pinned cannot be read: %s", model, error)
        return Standby()
