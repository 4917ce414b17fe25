"""The processes in which the Python backend runs models: one per instance of each version."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class ModelProcess:
    """A live model process: the graph it was started for, and the shared memory it exchanges tensors in."""

    graph: Path
    """Absolute, without symbolic links."""
    region: Path
    process: psutil.Process

    def is_stopped(self) -> bool:
        """Whether it is stopped (SIGSTOP): Triton waits for it, for ever, and reports its model as ready."""
        try:
            return bool(self.process.status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    def kill(self) -> None:
        """Ends it at once, where it has not ended."""
        with suppress(psutil.NoSuchProcess):
            self.process.kill()


def model_processes(processes: Iterable[psutil.Process]) -> list[ModelProcess]:
    """The model processes among the given ones, by their command lines; others are left out."""
    found = []
    for process in processes:
        try:
            command = process.cmdline()  # empty for one that is dead and not yet waited for
            if len(command) > 2 and command[0].endswith("triton_python_backend_stub"):
                graph = Path(process.cwd(), command[1]).resolve()
                found.append(ModelProcess(graph, _SHARED_MEMORY / command[2], process))
        except psutil.NoSuchProcess:
            continue
    return found


def remove_shared_memory(regions: Iterable[Path]) -> None:
    """Removes regions of processes that are gone: one that was killed cannot remove its own, 1 MB each."""
    for region in regions:
        region.unlink(missing_ok=True)
