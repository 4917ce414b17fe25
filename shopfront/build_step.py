"""One step of a build: run only where its inputs changed, or what it made cannot be used any more."""

from collections.abc import Callable, Mapping
from typing import Any

from models.checkpoint_files import CheckpointDamaged
from shopfront.build_record import BuildRecord, fingerprint
from shopfront.progress import Progress
from snapshot.manifest import SnapshotError
from triton_repo.errors import RepositoryError


def run_step(
    progress: Progress,
    record: BuildRecord,
    name: str,
    inputs: Mapping[str, Any],
    make: Callable[[], Any],
    verify: Callable[[Any], object],
) -> Any:
    """What the step made of these inputs before where `verify` accepts it, else what `make` makes now.

    `verify` compares every checksum: what is reported as built before can be served. What is made (a JSON
    value) is kept in the record.
    """
    key = fingerprint(inputs)
    made = record.made(name, key)
    if made is not None:
        try:
            verify(made)
        except (SnapshotError, CheckpointDamaged, RepositoryError) as error:
            progress.damaged(name, _fault(error))
        else:
            progress.reused(name, str(made))
            return made
    elif record.has_run(name):
        progress.outdated(name)
    made = make()
    record.keep(name, key, made)
    return made


def _fault(error: Exception) -> str:
    """What is wrong, without the advice to build again, which is followed already."""
    return f"{error.folder / error.file} {error.fault}" if isinstance(error, SnapshotError) else str(error)
