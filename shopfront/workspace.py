"""The folder that holds everything one shop's run makes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_FILE = PROJECT / "config" / "shopfront.yaml"
"""The configuration where none is named."""


_PASSED_THROUGH, _OWNERS = 0o711, 0o700


class WorkspaceBusy(Exception):
    """Another process builds or serves this workspace."""


@dataclass(frozen=True)
class Workspace:
    """Paths below one root; see docs/architecture.md for what lies in each."""

    root: Path

    @classmethod
    def for_data(cls, data: Path | None) -> "Workspace":
        """The default workspace: `build/sample`, or `build/<name of the data folder>`."""
        return cls(PROJECT / "build" / ("sample" if data is None else data.resolve().name))

    @property
    def datasets(self) -> Path:
        """Sealed data sets."""
        return self.root / "datasets"

    @property
    def checkpoints(self) -> Path:
        """Trained models: `<model>/<id>/`."""
        return self.root / "checkpoints"

    @property
    def rankers(self) -> Path:
        """Fitted weights of the last layer of ranking: `<id>/`."""
        return self.root / "rankers"

    @property
    def triton(self) -> Path:
        """Triton's repository."""
        return self.root / "triton"

    @property
    def pictures(self) -> Path:
        """Vectors of the items' pictures: `<id>/`, and `features/`, which spares encoding a picture again."""
        return self.root / "pictures"

    @property
    def jobs(self) -> Path:
        """Parts of the work on a Ray cluster that are done, while a build runs or after it has failed."""
        return self.root / "jobs"

    @property
    def snapshots(self) -> Path:
        """Sealed serving snapshots."""
        return self.root / "snapshots"

    @property
    def state(self) -> Path:
        """User state and event log in LMDB."""
        return self.root / "state"

    @property
    def logs(self) -> Path:
        """Logs of the servers."""
        return self.root / "logs"

    @property
    def metrics(self) -> Path:
        """Counts of the processes, for the metrics endpoint."""
        return self.root / "metrics"

    @property
    def evaluation(self) -> Path:
        """Tables of `shopfront evaluate`, one JSON per data set."""
        return self.root / "evaluation"

    @property
    def build_record(self) -> Path:
        """What each build step made, and from which inputs."""
        return self.root / "build_record.json"

    @property
    def sample_shopper(self) -> Path:
        """The shopper whose page `shopfront run` prints."""
        return self.root / "sample_shopper"

    @property
    def serving_record(self) -> Path:
        """What serves this workspace."""
        return self.root / "serving.json"

    def make(self) -> None:
        """Makes the workspace, or what is missing of it, so that only its owner reads what is in it.

        Other users may pass through its root, to `triton` and no further: models hold nothing of single
        shoppers, and a Triton of your own may run as another user. What an earlier release made readable is
        so no more. Raises OSError where nothing can be made there.
        """
        if self.root.is_dir():
            _restrict(self.root, _PASSED_THROUGH)
        else:
            self.root.mkdir(parents=True)
            self.root.chmod(_PASSED_THROUGH)
        for folder in self._private:
            folder.mkdir(exist_ok=True)
            _restrict(folder, _OWNERS)

    @property
    def _private(self) -> tuple[Path, ...]:
        shoppers_data = (self.datasets, self.snapshots, self.state, self.logs, self.metrics)
        return (
            *shoppers_data,
            self.checkpoints,
            self.pictures,
            self.root / "rollouts",
            self.root / "experiments",
            self.root / "learning",
            self.evaluation,
        )

    @contextmanager
    def held(self, purpose: Literal["building", "serving"]) -> Iterator[None]:
        """Hold the workspace against a second process of the same purpose; one may build while one serves.

        The lock is the kernel's and ends with the process, however it ends. Raises WorkspaceBusy, naming
        the process that holds it.
        """
        self.make()
        descriptor = os.open(self._lock(purpose), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 32).decode() or "unknown"
                raise WorkspaceBusy(
                    f"{self.root} is held by process {holder}, which is {purpose} it: stop that (Ctrl-C) or "
                    "name another folder with --workspace"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            if purpose == "serving":
                # One that was killed could not remove its record, which names a Triton that is gone.
                self.serving_record.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def is_held(self, purpose: Literal["building", "serving"]) -> bool:
        """Whether some process holds the workspace for this purpose now."""
        try:
            descriptor = os.open(self._lock(purpose), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _lock(self, purpose: str) -> Path:
        return self.root / f".{purpose}.lock"


def _restrict(folder: Path, mode: int) -> None:
    """Takes from other users what `mode` does not give them."""
    present = folder.stat().st_mode & 0o777
    if present & ~mode:
        # A folder of another user, such as a volume that an operator shares with a group, stays as it is.
        with suppress(PermissionError):
            folder.chmod(present & mode)
