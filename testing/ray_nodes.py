"""Three Ray nodes on this machine, of which one can be killed as a machine is lost: all of it, at once."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from server.ingress.ray_side_processes import without_side_processes
from server.ingress.sessions import program_of
from triton_repo.process_ends import wait_until_ended

OBJECT_STORE_BYTES = 100 * 2**20
_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "OMP_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}
_NOTICED_SOON = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2_000,
    "health_check_failure_threshold": 3,
}
"""A dead node is noticed after 1.5 s instead of 15."""


class RayNodes:
    """A head and two more nodes, of one CPU each."""

    def __init__(self) -> None:
        """Starts them; the environment that Ray reads must be set."""
        from ray.cluster_utils import Cluster

        self._lean: dict[str, Any] = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
        head = {"num_cpus": 1, "_system_config": _NOTICED_SOON, **self._lean}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._others: list[Any] = []
        for _ in range(2):
            self.add()

    @property
    def address(self) -> str:
        """host:port of the head."""
        return str(self._cluster.address)

    def add(self) -> None:
        """Starts one more node."""
        self._others.append(self._cluster.add_node(num_cpus=1, **self._lean))

    def freeze_workers(self) -> None:
        """Stops the workers of the node that `kill` will kill: what they compute is not done before."""
        for process in self._processes(self._others[-1]):
            with suppress(psutil.NoSuchProcess):
                if program_of(process).startswith("ray::"):
                    process.suspend()

    def count(self, program: str) -> list[int]:
        """How many processes whose title begins so each node has, the head first and the newest last."""
        return [
            sum(program_of(process).startswith(program) for process in self._processes(node))
            for node in (self._cluster.head_node, *self._others)
        ]

    def kill(self, after_s: float = 0.0) -> None:
        """Kills every process of the newest node at once; it is not replaced.

        after_s: seconds for which its workers are stopped before, so that they are busy when it is lost.
        """
        if after_s:
            self.freeze_workers()
            time.sleep(after_s)
        node = self._others.pop()
        processes = self._processes(node)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        wait_until_ended(processes, 10.0)
        self._cluster.remove_node(node, allow_graceful=False)

    def replace(self) -> None:
        """Starts a node for each one that was killed."""
        while len(self._others) < 2:
            self.add()

    def stop(self) -> None:
        """Ends them all."""
        self._cluster.shutdown()

    def _processes(self, node: Any) -> list[psutil.Process]:
        found = []
        for kinds in node.all_processes.values():
            for information in kinds:
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(information.process.pid)
                    found += [process, *process.children(recursive=True)]
        return found


@contextmanager
def three_nodes(
    environment: Mapping[str, str] | None = None, *, runtime_environments: bool = False
) -> Iterator[RayNodes]:
    """Three nodes while the body runs, without the processes of Ray's dashboard.

    `environment`: of the nodes and of what runs on them, besides what makes them small;
    `runtime_environments`: with Ray's agent for them, without which Ray Train starts no worker.
    """
    with tempfile.TemporaryDirectory(prefix="nodes-", dir="/tmp") as folder:
        # Other programs look for a Ray of this machine in the usual folder.
        wanted = {**_ENVIRONMENT, "RAY_TMPDIR": folder, **(environment or {})}
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        # Ray takes over a signal of the process that starts nodes.
        on_end = signal.getsignal(signal.SIGTERM)
        with without_side_processes(Path(folder), runtime_environments=runtime_environments):
            nodes = RayNodes()
            try:
                yield nodes
            finally:
                nodes.stop()
                signal.signal(signal.SIGTERM, on_end)
                for name, value in before.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value


class KilledDuring:
    """A job's report that kills a node while the job waits for a part that this node has begun."""

    def __init__(self, nodes: RayNodes, job: str) -> None:
        """`job`: the one to disturb; others run as they do."""
        self._nodes, self._job = nodes, job
        self.killed_at: float | None = None
        """When the node was killed, seconds of `time.monotonic`."""
        self.ended_at: float | None = None
        """When the disturbed job was done."""

    def __call__(self, job: str, done: int, of: int) -> None:
        """As `shopfront.cluster.ray_cluster.Report`."""
        if job != self._job or self.ended_at is not None:
            return
        if done == 0:
            self._nodes.freeze_workers()
        if done == of - 1 and self.killed_at is None:
            self.killed_at = time.monotonic()
            self._nodes.kill()
        if done == of:
            self.ended_at = time.monotonic()
