"""Parts of a job as Ray tasks: spread over the nodes, begun again where a node is lost.

Plain tasks, one for each part: a part is a function's call on a range, its result a file
(`shopfront.cluster.part_files`), so that Ray's object stores hold nothing that could be lost with a node.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.storage.private_files import keep_files_private
from server.ingress_settings import split_address
from shopfront.cluster.errors import CannotReachCluster, NodesLost, PartFailed
from shopfront.cluster.part_files import PartFiles
from shopfront.cluster.settings import JobSettings
from snapshot.durable_files import write_durably
from snapshot.partition_work import Columns

Report = Callable[[str, int, int], None]
"""Called with the job, parts done and parts in all."""

_PARTS_PER_CPU = 3
_PARTS_FILE = "parts"
_LOOK_S = 1.0
_CONNECT_S = 10.0


def silent(job: str, done: int, of: int) -> None:
    """Reports nothing."""


@dataclass(frozen=True)
class Part:
    """A call that computes one part. Functions are sent by name, so that nodes run their own code."""

    name: str
    """For people: "shoppers 1…500"."""
    function: Callable[..., Columns]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class RayCluster:
    """A Ray that this process is connected to."""

    settings: JobSettings
    plugins: tuple[str, ...] = ()

    def parts(self, jobs: Path) -> int:
        """How many parts jobs in the folder `jobs` are divided into.

        As long as the folder is there it stays as it was: jobs are resumed on another number of nodes.
        """
        import ray

        if self.settings.parts:
            return self.settings.parts
        kept = jobs / _PARTS_FILE
        if not kept.is_file():
            cpus = ray.cluster_resources().get("CPU", 0)
            jobs.mkdir(parents=True, exist_ok=True)
            write_durably(kept, str(max(int(cpus * _PARTS_PER_CPU), 1)).encode())
        return int(kept.read_text())

    def run(
        self, job: str, files: PartFiles, parts: Sequence[Part], report: Report = silent
    ) -> list[Columns]:
        """Computes the parts that have no result yet; returns the results of all, in their order.

        Raises:
            PartFailed: a part raised what its data is the cause of.
            NodesLost: no node is left, or a part's node was lost too often.
            Exception: what else a part raises is a bug, with the traceback of its process.
        """
        import ray
        from ray import exceptions

        lost = (
            exceptions.WorkerCrashedError,
            exceptions.NodeDiedError,
            exceptions.LocalRayletDiedError,
            exceptions.OutOfMemoryError,
            exceptions.ObjectLostError,
        )
        missing = [number for number in range(len(parts)) if not files.has(number)]
        done = len(parts) - len(missing)
        options: dict[str, Any] = {
            "num_cpus": self.settings.cpus_per_part,
            "max_retries": self.settings.attempts - 1,
            "scheduling_strategy": "SPREAD",
            "name": job,
        }
        if self.settings.memory_per_part:
            options["memory"] = self.settings.memory_per_part
        task = ray.remote(**options)(run_part)
        report(job, done, len(parts))
        waiting = {task.remote(files, number, parts[number], self.plugins): number for number in missing}
        nodes = NodeWait(self.settings)
        try:
            while waiting:
                ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK_S)
                for reference in ready:
                    number = waiting.pop(reference)
                    try:
                        fault = ray.get(reference)
                    except lost as error:
                        raise NodesLost(
                            f"{job}: {parts[number].name}: {self.settings.attempts} processes or nodes that "
                            f"computed it were lost, the last one so: {_first_line(error)}. "
                            f"{_resumption(done, len(parts))}"
                        ) from error
                    if fault:
                        raise PartFailed(f"{job}: {parts[number].name}: {fault}")
                    done += 1
                    report(job, done, len(parts))
                if not ready and nodes.none_for_too_long():
                    raise NodesLost(
                        f"{job}: for {self.settings.node_wait_s:.0f} s no node has been left with "
                        f"{self.settings.cpus_per_part:g} CPUs. {_resumption(done, len(parts))}"
                    )
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
        return [files.read(number) for number in range(len(parts))]


def _resumption(done: int, of: int) -> str:
    return (
        f"{done} of {of} parts are done and kept: start nodes, and run the same command again to compute the "
        "others"
    )


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _of_the_data() -> tuple[type[BaseException], ...]:
    """What a part raises where its data is the cause: shown in one line, by its message."""
    from ingest.shop_tables import IngestError
    from ingest.table_files import UnreadableFile
    from snapshot.manifest import SnapshotError

    return (IngestError, UnreadableFile, SnapshotError, OSError)


class NodeWait:
    """How long no node could have computed a part."""

    def __init__(self, settings: JobSettings) -> None:
        """`settings`: what a part needs, and how long one is waited for."""
        self._settings = settings
        self._since: float | None = None

    def none_for_too_long(self) -> bool:
        """Whether there has been no node for `node_wait_s`; asked again and again."""
        import ray

        able = any(
            node["Alive"] and node["Resources"].get("CPU", 0) >= self._settings.cpus_per_part
            for node in ray.nodes()
        )
        if able:
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since > self._settings.node_wait_s


def run_part(files: PartFiles, number: int, part: Part, plugins: Sequence[str]) -> str:
    """Computes a part and writes its result; runs on a node.

    Returns "", or why the part cannot be computed from its data. What else is raised is a bug, and reaches
    the build with its traceback.
    """
    keep_files_private()
    if plugins:
        from shopfront.plugins import load, load_for_building

        load(plugins)
        load_for_building(plugins)
    files.begin(number)
    try:
        result = part.function(*part.arguments)
    except _of_the_data() as error:
        return str(error)
    files.write(number, result)
    return ""


@contextmanager
def connected(settings: JobSettings, plugins: Sequence[str] = ()) -> Iterator[RayCluster | None]:
    """The cluster that the settings name, None where they name none; left at the end.

    Raises CannotReachCluster where nothing answers at the address.
    """
    if not settings.address:
        yield None
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    try:
        if settings.address != "local":
            # Ray itself waits for minutes for a head that is not there.
            place = split_address(settings.address.removeprefix("ray://"))
            socket.create_connection(place, timeout=_CONNECT_S).close()
        ray.init(address=settings.address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise CannotReachCluster(
            f"jobs.address {settings.address!r} is no Ray cluster that accepts jobs: {_first_line(error)}"
        ) from error
    try:
        yield RayCluster(settings, tuple(plugins))
    finally:
        ray.shutdown()
