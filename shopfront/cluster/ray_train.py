"""Training of one model by several workers on the nodes of a cluster, started by Ray Train.

Ray Train places the workers, joins them in a process group, and starts them anew where one is lost, on the
nodes that are left. What they learn, and how far they are, lies in the folder that all nodes share.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shopfront.cluster.errors import CannotTrainHere, NodesLost
from shopfront.cluster.ray_cluster import NodeWait, RayCluster
from shopfront.cluster.training_files import Course, Ended, TrainingFiles

logger = logging.getLogger(__name__)

StepReport = Callable[[int, int, float, dict[str, float]], object]
"""Called with step, steps, loss and the latest validation."""

_LOOK_S = 0.5
_ENVIRONMENT = {"RAY_TRAIN_METRICS_ENABLED": "0", "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5"}
"""Of the process that starts Ray Train: nothing reads its metrics, and a lost worker is noticed soon."""


@dataclass(frozen=True)
class SharedTraining:
    """What is trained; all of it reaches the workers as JSON values.

    model: its name in the registry, of a kind that shares batches; dataset: folder of the data set;
    settings: its section; checkpoints: folder of all models' checkpoints; rules: as of
    `shopfront.training.train_model`.
    """

    model: str
    dataset: Path
    settings: Mapping[str, Any]
    checkpoints: Path
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def run(self, cluster: RayCluster, jobs: Path, progress: StepReport) -> Ended:
        """Trains by at most `jobs.training_workers` workers; continues what was begun before.

        Args:
            cluster: whose nodes train.
            jobs: folder of what is done.
            progress: called with how far it is.

        Returns:
            The checkpoint's name and metrics, or what is wrong with the data or the settings.

        Raises:
            CannotTrainHere: Ray Train cannot be imported.
            NodesLost: too many workers were lost, or no node is left.
            Exception: what else a worker raises is a bug, with the traceback of its process.
        """
        files = self.files(cluster, jobs)
        files.begin()
        trainer = _trainer(cluster, files, self._order(cluster) | {"folder": str(files.folder)})
        watch = TrainingWatch(f"training of {self.model}", files, cluster, progress)
        failure: list[BaseException] = []

        def fit() -> None:
            try:
                trainer.fit()
            except BaseException as error:
                failure.append(error)

        # Not this thread: it watches the nodes, and Ctrl-C is not Ray Train's here.
        fitting = threading.Thread(target=fit, name=watch.job, daemon=True)
        fitting.start()
        while fitting.is_alive():
            fitting.join(_LOOK_S)
            watch.look()
        ended = files.ended()
        if ended is not None:
            return ended
        raise watch.end_of(failure[0] if failure else None)

    def files(self, cluster: RayCluster, jobs: Path) -> TrainingFiles:
        """The folder below `jobs` of this training on this data by these settings."""
        order = repr(sorted(self._order(cluster).items()))
        digest = hashlib.blake2b(order.encode(), digest_size=8).hexdigest()
        return TrainingFiles(jobs.absolute() / f"train-{self.model}-{digest}")

    def _order(self, cluster: RayCluster) -> dict[str, Any]:
        """What a worker is told, without the job's folder."""
        return {
            "model": self.model,
            "dataset": str(self.dataset.absolute()),
            "settings": dict(self.settings),
            "checkpoints": str(self.checkpoints.absolute()),
            "rules": {name: dict(section) for name, section in self.rules.items()},
            "plugins": list(cluster.plugins),
        }


def _trainer(cluster: RayCluster, files: TrainingFiles, order: dict[str, Any]) -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer
    except ImportError as error:
        raise CannotTrainHere(
            "jobs.training_workers is more than 1, and Ray Train lacks a package: install the extra "
            f"`training` on every node (pip install 'shopfront[training]'), or set it to 1: {error}"
        ) from error
    from shopfront.cluster.train_worker import train_share

    settings = cluster.settings
    resources = {"CPU": settings.cpus_per_part}
    if settings.memory_per_part:
        resources["memory"] = float(settings.memory_per_part)
    return TorchTrainer(
        train_share,
        train_loop_config=order,
        scaling_config=ScalingConfig(
            # With fewer nodes fewer workers compute the same batches.
            num_workers=(1, settings.training_workers),
            resources_per_worker=resources,
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(files.folder),
            failure_config=FailureConfig(max_failures=settings.attempts - 1),
        ),
    )


class TrainingWatch:
    """Tells the build how far workers are, and which nodes were lost meanwhile."""

    def __init__(self, job: str, files: TrainingFiles, cluster: RayCluster, progress: StepReport) -> None:
        """job: for people; the others as of `SharedTraining.run`."""
        self.job = job
        self._files, self._progress = files, progress
        self._wait, self._wait_s = NodeWait(cluster.settings), cluster.settings.node_wait_s
        self._alive = self._nodes()
        self._lost: list[str] = []
        self._told: Course | None = None

    def look(self) -> None:
        """Reports what is new; raises NodesLost where no node could train for too long."""
        told = self._files.told()
        if told is not None and told != self._told:
            self._told = told
            self._progress(told.step, told.steps, told.loss, told.metrics)
        alive = self._nodes()
        for node in sorted(set(self._alive) - set(alive)):
            self._lost.append(self._alive[node])
            logger.warning(
                "%s: %s was lost %s; it goes on from the last validation with the nodes that are left",
                self.job,
                self._alive[node],
                self._step(),
            )
        self._alive = alive
        if self._wait.none_for_too_long():
            raise NodesLost(
                f"{self.job}: for {self._wait_s:.0f} s no node has been left that could train "
                f"({self._losses()}). {self._resumption()}"
            )

    def end_of(self, failure: BaseException | None) -> BaseException:
        """The error that a training ends with which nobody ended."""
        from ray.exceptions import RayActorError

        workers = getattr(failure, "worker_failures", {})
        died = any(isinstance(each, RayActorError) for each in (failure, *workers.values()))
        if self._lost or died:
            return NodesLost(
                f"{self.job}: too many workers or nodes were lost ({self._losses()}). {self._resumption()}"
            )
        return failure or RuntimeError(f"{self.job} ended without a result")

    def _step(self) -> str:
        return "before the first step" if self._told is None else f"at step {self._told.step}"

    def _losses(self) -> str:
        return ", ".join(self._lost) + " lost" if self._lost else "no node was lost"

    def _resumption(self) -> str:
        return (
            f"Training was {self._step()}, and what it had learned at its last validation is kept: start "
            "nodes, and run the same command again to go on from there"
        )

    @staticmethod
    def _nodes() -> dict[str, str]:
        import ray

        return {
            node["NodeID"]: f"node {node['NodeID'][:8]} ({node['NodeManagerAddress']})"
            for node in ray.nodes()
            if node["Alive"]
        }
