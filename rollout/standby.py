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
    """The versions of a model that are pinned in the repository, without candidates.

    A promotion pins the version that took over and allows the version that the snapshot names to be unloaded:
    a replica that cannot read the record would otherwise use a version that is not loaded.

    Attributes:
        data_sets: version → data set it was trained on; empty where nothing is pinned.
    """

    data_sets: Mapping[int, str] = field(default_factory=dict)

    def stable_version(self, dataset: str, manifest_version: int) -> int:
        """The version to serve with a snapshot of `dataset` that names `manifest_version`."""
        if not self.data_sets or manifest_version in self.data_sets:
            return manifest_version
        fitting = [version for version, trained_on in self.data_sets.items() if trained_on == dataset]
        return max(fitting, default=manifest_version)


def read_standby(repository: ModelRepository, model: str) -> Standby:
    """The pinned versions of a model in `repository`; blocks for the disk.

    Where it cannot be read, as by a router on another machine than Triton's, the snapshot's version is used.
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
